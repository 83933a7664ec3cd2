using KvIL.Eviction;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Tensors;

namespace KvIL.Inference.Evaluation;

/// <summary>How a text is measured.</summary>
public sealed record PerplexityOptions
{
    /// <summary>Ids of a window, BOS included; at least 2.</summary>
    public int Window { get; init; } = 512;

    /// <summary>The id that starts every window; null for none.</summary>
    public int? Bos { get; init; }

    /// <summary>Element type of cached keys and values.</summary>
    public DType RowType { get; init; } = DType.F32;

    /// <summary>Most bytes of weights, cache and scratch together; null for what the machine has.</summary>
    public long? MemoryLimit { get; init; }
}

/// <summary>How well a model predicts a text.</summary>
/// <param name="Windows">Complete windows; what is left after the last is not scored.</param>
/// <param name="Scored">Ids scored: all of a window but its first.</param>
/// <param name="MeanNll">Mean of −log p, nats.</param>
/// <param name="StandardError">Standard deviation of −log p over the root of the count; NaN for a single id.</param>
/// <param name="WindowMeanNll">The mean of each window.</param>
public sealed record PerplexityResult(int Windows, int Scored, double MeanNll, double StandardError, IReadOnlyList<double> WindowMeanNll)
{
    /// <summary><c>exp(mean −log p)</c>.</summary>
    public double Perplexity => Math.Exp(MeanNll);
}

/// <summary>Mean negative log likelihood of a text, window by window.</summary>
/// <remarks>
/// <code>
/// text ids are cut into consecutive windows w without overlap, each run from position 0 with an empty cache
/// nll = mean over windows and t &lt; W − 1 of  log Σ_v exp(z_t[v]) − z_t[w_{t+1}]
/// </code>
/// </remarks>
public static class Perplexity
{
    // Logits of a pass: enough rows for the matrix product to be efficient, few enough to stay small for a vocabulary of 256 k.
    private const int MostLogits = 1 << 24;
    private const int MostRows = 256;

    /// <summary>The text's ids as complete windows, each with BOS in front where there is one.</summary>
    public static IReadOnlyList<int[]> Cut(ReadOnlySpan<int> ids, int window, int? bos)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(window, 2);
        int[] first = bos is { } id ? [id] : [];
        int step = window - first.Length;
        List<int[]> windows = [];
        for (int start = 0; start + step <= ids.Length; start += step)
        {
            windows.Add([.. first, .. ids.Slice(start, step)]);
        }

        return windows;
    }

    /// <summary>Scores the text.</summary>
    /// <param name="model">The model.</param>
    /// <param name="ids">The text, without BOS.</param>
    /// <param name="options">Windows and types.</param>
    /// <param name="progress">Told windows done and the mean so far.</param>
    /// <param name="cancellation">Stops between windows.</param>
    /// <exception cref="RequestException">No window is complete, a window exceeds the model's context, or memory is short.</exception>
    public static PerplexityResult Measure(
        Model model, ReadOnlySpan<int> ids, PerplexityOptions options, Action<double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        IReadOnlyList<int[]> windows = Cut(ids, options.Window, options.Bos);
        if (windows.Count == 0)
        {
            throw new RequestException($"The text has {ids.Length} tokens, too few for one window of {options.Window}; use a smaller window or a longer text.");
        }

        int rows = Math.Min(Math.Min(MostRows, options.Window), Math.Max(1, MostLogits / model.Config.VocabSize));
        using Engine engine = new(model, new() { MaxTokens = options.Window, Chunk = rows, MaxLogitRows = rows, RowType = options.RowType });
        MemoryNeed.Of(engine, EvictionPolicy.Full, options.Window, 0).Check(options.MemoryLimit);
        List<double> losses = [];
        List<double> means = [];
        foreach (int[] window in windows)
        {
            cancellation.ThrowIfCancellationRequested();
            Score(engine, window, rows, losses);
            means.Add(losses.TakeLast(window.Length - 1).Average());
            progress?.Invoke((double)means.Count / windows.Count);
        }

        double mean = losses.Average();
        double variance = losses.Sum(loss => (loss - mean) * (loss - mean)) / (losses.Count - 1);
        return new(windows.Count, losses.Count, mean, Math.Sqrt(variance / losses.Count), means);
    }

    private static void Score(Engine engine, int[] window, int rows, List<double> losses)
    {
        using KvCache cache = engine.CreateCache();
        for (int store = 0; store < engine.Model.Transformer.Map.NumStores; store++)
        {
            engine.Reserve(cache, store, sequence: 0, window.Length);
        }

        int scored = window.Length - 1;
        for (int first = 0; first < scored; first += rows)
        {
            int n = Math.Min(rows, scored - first);
            engine.Forward(cache, new int[n], window.AsSpan(first, n), [.. Enumerable.Range(0, n)]);
            double[] chunk = new double[n];
            int start = first;
            Parallel.For(0, n, row =>
            {
                ReadOnlySpan<float> logits = engine.Logits(row);
                chunk[row] = LogProbability.LogSumExp(logits) - logits[window[start + row + 1]];
            });
            losses.AddRange(chunk);
        }
    }
}
