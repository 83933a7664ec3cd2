using System.Diagnostics;
using KvIL.Eviction;
using KvIL.Inference.Files.Synthesis;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Ops;
using KvIL.Reference;
using KvIL.Tensors;

namespace KvIL.Bench;

/// <summary>A model with made-up weights of one type, and what was measured on it.</summary>
internal sealed class ModelRun : IDisposable
{
    public const int PromptTokens = 512;

    private static readonly int[] _zero = [0];
    private static readonly int[] _one = [1];

    private readonly string _path;
    private readonly ReferenceBackend _backend;
    private readonly Model _model;
    private readonly Engine _engine;
    private readonly KvCache _cache;
    private readonly int[] _prompt;

    public ModelRun(SyntheticShape shape, DType type, int? layers, int threads)
    {
        SyntheticModel synthetic = new(shape, type, layers: layers);
        Type = type;
        Matrices = string.Join(", ", synthetic.Types.Select(pair => $"{pair.Count} {pair.Type}"));
        _path = Path.Combine(Path.GetTempPath(), $"kvil-bench-{Environment.ProcessId}-{type}.gguf");
        synthetic.Write(_path);
        _backend = new(threads);
        _model = Model.Open(_path, _backend);
        _engine = new(_model, new() { MaxTokens = 1024 });
        _cache = _engine.CreateCache();
        _prompt = [.. Enumerable.Range(0, PromptTokens).Select(i => i * 7 % shape.Vocabulary)];
        TensorSpec[] weights = [.. _model.Weights.Values.Select(weight => (TensorSpec)weight.Spec)];
        WeightBytes = weights.Sum(weight => weight.SizeBytes);
        MultiplyAdds = 2.0 * PromptTokens * weights
            .Where(weight => weight.Shape.Rank == 2 && weight.Shape[0].Max != shape.Vocabulary).Sum(weight => weight.Shape.MaxElements);
        _engine.Forward(_cache, new int[8], new int[8], [7]);
    }

    public DType Type { get; }

    /// <summary>How many matrices are of which type.</summary>
    public string Matrices { get; }

    /// <summary>Bytes that a decode step reads: all weights, the embedding as output head.</summary>
    public long WeightBytes { get; }

    /// <summary>Floating-point operations of the prompt's projections.</summary>
    public double MultiplyAdds { get; }

    /// <summary>Seconds of a decode step, one for each round.</summary>
    public List<double> Decode { get; } = [];

    /// <summary>Seconds of the prompt, one for each round.</summary>
    public List<double> Prefill { get; } = [];

    public void Measure()
    {
        Decode.Add(Time(Step, repeats: 8));
        Prefill.Add(Time(Prompt, repeats: 1));
    }

    /// <summary>Where the time goes, by kind of op.</summary>
    public (string Decode, string Prefill) Shares() => (SharesOf(Step, 8), SharesOf(Prompt, 1));

    public static double Time(Action action, int repeats)
    {
        long began = Stopwatch.GetTimestamp();
        for (int i = 0; i < repeats; i++)
        {
            action();
        }

        return Stopwatch.GetElapsedTime(began).TotalSeconds / repeats;
    }

    public void Dispose()
    {
        _cache.Dispose();
        _engine.Dispose();
        _model.Dispose();
        _backend.Dispose();
        File.Delete(_path);
    }

    private void Step() => _engine.Forward(_cache, _zero, _one, _zero);

    private void Prompt()
    {
        using KvCache fresh = _engine.CreateCache();
        _engine.Prefill(fresh, 0, _prompt, EvictionPolicy.Full, reserve: 0);
    }

    private string SharesOf(Action work, int repeats)
    {
        Dictionary<string, double> seconds = [];
        _backend.Watch = (op, time) => seconds[Kind(op)] = seconds.GetValueOrDefault(Kind(op)) + time.TotalSeconds;
        Time(work, repeats);
        _backend.Watch = null;
        double all = seconds.Values.Sum();
        return string.Join(", ", seconds.OrderByDescending(kind => kind.Value).Select(kind => $"{kind.Key} {kind.Value / all:P1}"));
    }

    private string Kind(Op op) => op switch
    {
        LinearOp linear when linear.Weight.Tensor.Shape[0].Max == _model.Config.VocabSize => "output head",
        LinearOp => "projections",
        AttendOp => "attention",
        _ => "rest",
    };
}
