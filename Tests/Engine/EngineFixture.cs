using KvIL.Backends;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Reference;
using KvIL.Sharing;
using KvIL.Tests.Files;

namespace KvIL.Tests.Engines;

/// <summary>Synthetic checkpoints on disk, and models of them on one backend; shared by the laws of a class.</summary>
public sealed class EngineFixture : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly HashSet<string> _written = [];
    private readonly Dictionary<(string, SharingMap?), Model> _models = [];
    private readonly Dictionary<(string, SharingMap?, KvIL.Tensors.DType), DoubleModel> _definitions = [];
    private readonly ReferenceBackend _backend = new(1);

    /// <summary>The demo model's directory.</summary>
    public static string Demo { get; } = Repo.PathOf("models/kvil-demo");

    /// <summary>The directory of a synthetic checkpoint, written when first asked for.</summary>
    internal string PathOf(SyntheticModel model)
    {
        string path = _directory.PathOf(Math.Abs(model.GetHashCode()).ToString(System.Globalization.CultureInfo.InvariantCulture));
        if (_written.Add(path)) model.Write(Directory.CreateDirectory(path).FullName);
        return path;
    }

    internal Model Model(SyntheticModel model, SharingMap? map = null) => Model(PathOf(model), map);

    internal Model Model(string path, SharingMap? map = null) =>
        _models.TryGetValue((path, map), out Model? known) ? known : _models[(path, map)] = Inference.Models.Model.Open(path, _backend, map);

    internal DoubleModel Definition(SyntheticModel model, SharingMap? map = null, KvIL.Tensors.DType rowType = KvIL.Tensors.DType.F32) =>
        _definitions.TryGetValue((PathOf(model), map, rowType), out DoubleModel? known)
            ? known
            : _definitions[(PathOf(model), map, rowType)] = new(PathOf(model), map, rowType);

    /// <summary>An engine whose backend is this fixture's, or that one.</summary>
    internal Session Open(SyntheticModel model, EngineOptions options, SharingMap? map = null, Func<IBackend, IBackend>? tamper = null) =>
        tamper is null ? new Session(Model(model, map), options) : new Session(PathOf(model), options, map, tamper(new ReferenceBackend(1)));

    public void Dispose()
    {
        foreach (Model model in _models.Values) model.Dispose();
        _backend.Dispose();
        _directory.Dispose();
    }
}

/// <summary>An engine, and whatever was opened for it alone.</summary>
internal sealed class Session : IDisposable
{
    private readonly Model? _model;
    private readonly IBackend? _backend;

    public Session(Model model, EngineOptions options) => Engine = new(model, options);

    public Session(string path, EngineOptions options, SharingMap? map, IBackend backend)
    {
        _backend = backend;
        _model = Model.Open(path, backend, map);
        Engine = new(_model, options);
    }

    public Engine Engine { get; }

    public void Dispose()
    {
        Engine.Dispose();
        _model?.Dispose();
        _backend?.Dispose();
    }
}

/// <summary>Random input.</summary>
internal static class Ids
{
    public static int[] Random(int seed, int count, int vocabulary)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];
    }

    /// <summary>The demo model's ids of the first prompts of its needle set, cut to a length.</summary>
    public static int[] Prompt(Model demo, int index, int tokens)
    {
        string path = Path.Combine(EngineFixture.Demo, "needle-grimm.jsonl");
        int[] ids = demo.Tokenizer!.Encode(Inference.Evaluation.EvaluationSet.Load(path, index + 1)[index].Prompt);
        return [.. ids.Take(tokens)];
    }
}
