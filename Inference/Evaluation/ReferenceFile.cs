using System.Runtime.InteropServices;
using KvIL.Inference.Files;
using KvIL.Inference.Models;

namespace KvIL.Inference.Evaluation;

/// <summary>What another implementation computed with a model: a safetensors file of the layout <c>kvil-reference/1</c>.</summary>
/// <remarks>Tensors are grouped by the name of a sequence; docs/models.md lists them. Shapes are checked against the model.</remarks>
internal sealed class ReferenceFile : IDisposable
{
    /// <summary>The layout's name, in the header.</summary>
    public const string Format = "kvil-reference/1";

    /// <summary>Largest difference of a logit where the file states none.</summary>
    public const double DefaultTolerance = 1e-3;

    private const long MaxTokens = 1 << 24;

    private readonly SafeTensorsFile _file;
    private readonly string _path;
    private readonly Transformer _model;

    private ReferenceFile(SafeTensorsFile file, string path, Transformer model)
    {
        (_file, _path, _model) = (file, path, model);
        if (file.Metadata.GetValueOrDefault("format") != Format)
        {
            throw new ModelFileException($"{path}: this is no reference of the layout {Format}; name another file with --reference.");
        }

        Dictionary<string, double> tolerances = ReadTolerances();
        Sequences =
        [
            .. file.Tensors.Keys.Where(name => name.EndsWith(".input_ids", StringComparison.Ordinal)).Select(name => name[..^".input_ids".Length])
                .Where(name => !name.Contains('.', StringComparison.Ordinal)).Order(StringComparer.Ordinal)
                .Select(name => ReadSequence(name, tolerances)),
        ];
        if (Sequences.Count == 0)
        {
            throw new ModelFileException($"{path}: the reference holds no sequence (S.input_ids); name another file with --reference.");
        }
    }

    /// <summary>The sequences, by name.</summary>
    public IReadOnlyList<ReferenceSequence> Sequences { get; }

    /// <summary>Where the reference of a model lies: <c>reference.safetensors</c> in its directory, or <c>X.reference.safetensors</c> beside a file X.*.</summary>
    public static string PathBeside(string model) => Directory.Exists(model)
        ? Path.Combine(model, "reference.safetensors")
        : Path.ChangeExtension(model, ".reference.safetensors");

    /// <summary>Opens a reference of a model.</summary>
    /// <exception cref="ModelFileException">The file is missing, damaged, or of another layout or model.</exception>
    public static ReferenceFile Open(string path, Transformer model)
    {
        if (!File.Exists(path))
        {
            throw new ModelFileException($"{path}: there is no reference of this model; name one with --reference.");
        }

        SafeTensorsFile file = SafeTensorsFile.Open(path);
        try
        {
            return new(file, path, model);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private Dictionary<string, double> ReadTolerances()
    {
        if (_file.Metadata.GetValueOrDefault("tolerances") is not string json)
        {
            return [];
        }

        JsonValue root = JsonValue.Parse(System.Text.Encoding.UTF8.GetBytes(json), $"{_path}, tolerances");
        return root.Members().DistinctBy(member => member.Name).ToDictionary(member => member.Name, member => member.Value.Number(0, 1e6));
    }

    private ReferenceSequence ReadSequence(string name, Dictionary<string, double> tolerances)
    {
        ModelConfig config = _model.Config;
        FileTensor ids = _file.Tensors[$"{name}.input_ids"];
        if (ids.Shape is not [> 0 and <= MaxTokens])
        {
            throw Error(ids, $"I64 [T] with T from 1 to {MaxTokens}");
        }

        int tokens = (int)ids.Shape[0];
        int queries = config.VocabSize;
        FileTensor? logits = Find(name, "logits", shape => shape is [var rows, var width] && rows >= 1 && rows <= tokens && width == queries, $"[R, {queries}] with R up to {tokens}");
        FileTensor? topIds = Find(name, "top_ids", shape => shape is [var t, var k] && t == tokens && k >= 1 && k <= queries, $"[{tokens}, k]", "I64");
        long top = topIds?.Shape[1] ?? 0;
        return new(name, Ids(ids), tolerances.GetValueOrDefault(name, DefaultTolerance), tolerances.ContainsKey(name))
        {
            Logits = logits,
            TopIds = topIds is null ? [] : Ids(topIds),
            TopLogits = topIds is null ? null : Find(name, "top_logits", shape => shape is [var t, var k] && t == tokens && k == top, $"[{tokens}, {top}]"),
            Lse = Find(name, "lse", shape => shape is [var t] && t == tokens, $"[{tokens}]"),
            NextLogit = Find(name, "next_logit", shape => shape is [var t] && t == tokens, $"[{tokens}]"),
            Greedy = Find(name, "greedy", shape => shape is [>= 0 and <= MaxTokens], "[n]", "I64") is { } greedy ? Ids(greedy) : [],
            GreedyMargin = Find(name, "greedy_margin", shape => shape is [>= 0 and <= MaxTokens], "[n]"),
            Cache = [.. Enumerable.Range(0, config.NumLayers).SelectMany(layer => new[] { "k", "v" }.Select(kind => (layer, kind)))
                .Select(at => (at.layer, at.kind, tensor: FindRows(name, at.kind, at.layer, tokens)))
                .Where(at => at.tensor is not null).Select(at => new ReferenceRows(at.layer, at.kind == "k", at.tensor!))],
        };
    }

    private FileTensor? FindRows(string name, string kind, int layer, int tokens)
    {
        (int kv, int channels) = (_model.Config.NumKvHeadsOf(layer), _model.Config.HeadDimOf(layer));
        return Find(
            name, $"{kind}.{layer}", shape => shape is [var h, var t, var d] && h == kv && t == tokens && d == channels,
            $"[{kv}, {tokens}, {channels}]");
    }

    private FileTensor? Find(string sequence, string name, Func<long[], bool> isShape, string shape, string type = "F32")
    {
        if (!_file.Tensors.TryGetValue($"{sequence}.{name}", out FileTensor? tensor))
        {
            return null;
        }

        return tensor.StoredType == type && isShape([.. tensor.Shape]) ? tensor : throw Error(tensor, $"{type} {shape}");
    }

    private int[] Ids(FileTensor tensor)
    {
        if (tensor.StoredType != "I64")
        {
            throw Error(tensor, "I64");
        }

        long[] wide = new long[tensor.ElementCount];
        tensor.Data.AsSpan().CopyTo(MemoryMarshal.AsBytes(wide.AsSpan()));
        long bad = wide.FirstOrDefault(id => id < 0 || id >= _model.Config.VocabSize, -1);
        return wide.All(id => id >= 0 && id < _model.Config.VocabSize)
            ? Array.ConvertAll(wide, id => (int)id)
            : throw new ModelFileException(
                $"{_path}: tensor {ModelFileException.Quote(tensor.Name)} names the token {bad}, outside the model's vocabulary of "
                + $"{_model.Config.VocabSize}; the reference is of another model.");
    }

    private ModelFileException Error(FileTensor tensor, string expected) => new(
        $"{_path}: tensor {ModelFileException.Quote(tensor.Name)}: expected {expected}, got {tensor.StoredType} {Shapes.Show([.. tensor.Shape])}; "
        + "the reference is of another model.");
}

/// <summary>What is recorded of one sequence.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Ids">The tokens.</param>
/// <param name="Tolerance">Largest difference of a logit.</param>
/// <param name="StatesTolerance">Whether the file states it.</param>
internal sealed record ReferenceSequence(string Name, int[] Ids, double Tolerance, bool StatesTolerance)
{
    /// <summary>F32 <c>[R, vocabulary]</c>: of the last R positions.</summary>
    public FileTensor? Logits { get; init; }

    /// <summary><c>[T, k]</c>.</summary>
    public int[] TopIds { get; init; } = [];

    /// <summary>F32 <c>[T, k]</c>, descending.</summary>
    public FileTensor? TopLogits { get; init; }

    /// <summary>F32 <c>[T]</c>: log-sum-exp of the logits.</summary>
    public FileTensor? Lse { get; init; }

    /// <summary>F32 <c>[T]</c>: logit of the next token of the sequence; the last entry says nothing.</summary>
    public FileTensor? NextLogit { get; init; }

    /// <summary>The greedy continuation.</summary>
    public int[] Greedy { get; init; } = [];

    /// <summary>F32 <c>[n]</c>: gap between the two largest logits at each step.</summary>
    public FileTensor? GreedyMargin { get; init; }

    /// <summary>Cached keys and values of some layers.</summary>
    public IReadOnlyList<ReferenceRows> Cache { get; init; } = [];

    /// <summary>The elements of a tensor.</summary>
    public static ReadOnlySpan<float> Values(FileTensor tensor) => MemoryMarshal.Cast<byte, float>(tensor.Data.AsSpan());
}

/// <summary>F32 <c>[KV heads, T, head dim]</c>: what a layer's cache holds.</summary>
internal sealed record ReferenceRows(int Layer, bool IsKey, FileTensor Tensor);
