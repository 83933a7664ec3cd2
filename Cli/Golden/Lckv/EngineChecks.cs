using System.Globalization;
using KvIL.Backends;
using KvIL.Conformance.Golden.Eviction;
using KvIL.Inference.Files;
using KvIL.Inference.Models;
using KvIL.Sharing;

namespace KvIL.Cli.Golden.Lckv;

/// <summary>What the engine computes for a case, in float32, against the official code.</summary>
internal sealed class EngineChecks : IDisposable
{
    private const double Logits = 1e-4, Rows = 5e-5, Losses = 1e-5;

    private readonly LckvCase _case;
    private readonly IReadOnlyDictionary<string, GoldenTensor> _tensors;
    private readonly Func<ModelConfig, Model> _open;
    private readonly ModelConfig _config;
    private readonly Model _model;
    private readonly Tally _tally;
    private readonly int[] _input;
    private readonly int[] _prompt;

    public EngineChecks(LckvFolder folder, LckvCase recorded, ModelConfig config, IReadOnlyDictionary<string, GoldenTensor> tensors, IBackend backend, Tally tally)
    {
        (_case, _config, _tensors, _tally) = (recorded, config, tensors, tally);
        (_input, _prompt) = (Integers(tensors["input_ids"]), Integers(tensors["prompt_ids"]));
        _open = shape => Model.Open(Checkpoint.Open(shape, folder.WeightsPath(recorded)), backend);
        _model = _open(config);
    }

    public void Dispose() => _model.Dispose();

    /// <summary>Compares everything that is there.</summary>
    public void Run()
    {
        foreach (PrefillStrategy exact in (PrefillStrategy[])[PrefillStrategy.PublishedChunk, PrefillStrategy.Sequential])
        {
            using EngineRun run = new(_model, exact, _input.Length);
            Compare("exact logits", "logits_exact", run.Prompt(_input), exact);
            foreach (int owner in Enumerable.Range(0, _model.Transformer.Map.NumStores).Select(_model.Transformer.Map.Owner))
            {
                CompareRows("cache_k", owner, run, keys: true);
                CompareRows("cache_v", owner, run, keys: false);
            }
        }

        foreach ((string name, GoldenTensor _) in _tensors.Where(tensor => tensor.Key.StartsWith("logits_iter_", StringComparison.Ordinal) && !tensor.Key.EndsWith("_f64", StringComparison.Ordinal)))
        {
            using EngineRun run = new(_model, Iterations(name["logits_iter_".Length..]), _input.Length);
            Compare("iterative logits", name, run.Prompt(_input));
        }

        CompareGreedy("greedy", PrefillStrategy.Default);
        foreach (string name in _tensors.Keys.Where(name => name.StartsWith("greedy_iter_", StringComparison.Ordinal) && name.EndsWith("_ids", StringComparison.Ordinal)))
        {
            CompareGreedy(name[..^"_ids".Length], Iterations(name["greedy_iter_".Length..^"_ids".Length]));
        }

        CompareWindow();
        foreach ((int forward, int backward, double loss) in _case.Losses)
        {
            GoldenTensor batch = _tensors["loss_batch"];
            using EngineRun run = new(_model, PrefillStrategy.Iterative(forward + Math.Max(backward, 1)), batch.Shape[1]);
            double own = Loss(run, batch);
            _tally.Near("losses", $"{_case.Name}/loss {forward},{backward}", double.IsNaN(own) ? double.NaN : Math.Abs(own - loss), Losses);
        }

        if (_case.Gradients > 0) _tally.Leave("gradient norms", _case.Gradients);
    }

    // The flash-attention path of the official code sees one key more than the window says.
    private void CompareWindow()
    {
        if (!_tensors.ContainsKey("logits_exact_window_plus_1")) return;
        using Model wider = _open(_config with { Layers = [.. _config.Layers.Select(layer => layer with { Window = layer.Window + 1 })] });
        using EngineRun run = new(wider, PrefillStrategy.Default, _input.Length);
        Compare("exact logits, window + 1", "logits_exact_window_plus_1", run.Prompt(_input));
    }

    private void CompareGreedy(string name, PrefillStrategy prefill)
    {
        if (!_tensors.TryGetValue($"{name}_ids", out GoldenTensor? recorded)) return;
        int[] ids = Integers(recorded);
        using EngineRun run = new(_model, prefill, _prompt.Length + ids.Length);
        List<double[]> rows = [run.Prompt(_prompt)[^1]];
        while (rows.Count < ids.Length)
        {
            rows.Add(run.Next(Best(rows[^1])));
        }

        int[] own = [.. rows.Select(Best)];
        int at = own.AsSpan().CommonPrefixLength(ids);
        _tally.Add("greedy tokens", $"{_case.Name}/{name}_ids", at == ids.Length ? null : $"token {at} is {own[at]}, recorded is {ids[at]}");
        if (at == ids.Length) Compare("greedy logits", $"{name}_logits", rows);
    }

    private void Compare(string group, string name, IReadOnlyList<double[]> rows, PrefillStrategy? prefill = null)
    {
        if (!_tensors.TryGetValue(name, out GoldenTensor? recorded)) return;
        _tally.Near(group, $"{_case.Name}/{name}{(prefill is null ? "" : $" {prefill}")}", recorded, rows, Logits);
    }

    private void CompareRows(string name, int owner, EngineRun run, bool keys)
    {
        if (!_tensors.TryGetValue($"{name}.{owner}", out GoldenTensor? recorded)) return;
        _tally.Near("owners' caches", $"{_case.Name}/{name}.{owner} {run.Prefill}", recorded, run.Rows(_model.Transformer.Map.StoreOf(owner), keys), Rows);
    }

    // Mean cross-entropy of the next token over the rows of a batch.
    private static double Loss(EngineRun run, GoldenTensor batch)
    {
        List<double> terms = [];
        foreach (int[] ids in Integers(batch).Chunk(batch.Shape[1]))
        {
            double[][] logits = run.Prompt(ids);
            terms.AddRange(logits.SkipLast(1).Zip(ids.Skip(1), (row, next) => LogSumExp(row) - row[next]));
        }

        return terms.Average();
    }

    private static double LogSumExp(double[] row)
    {
        double most = row.Max();
        return most + Math.Log(row.Sum(logit => Math.Exp(logit - most)));
    }

    // "7_2"
    internal static PrefillStrategy Iterations(string text)
    {
        int[] parts = [.. text.Split('_').Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : -1)];
        return parts is [>= 0 and < 1 << 20, >= 0 and < 1 << 20]
            ? PrefillStrategy.Iterative(parts[0] + Math.Max(parts[1], 1))
            : throw new GoldenFormatException($"a tensor's name has the passes '{text}', and two numbers are expected; get the folder again.");
    }

    private static int Best(double[] row) => Array.IndexOf(row, row.Max());

    private static int[] Integers(GoldenTensor tensor) => [.. tensor.Values.Select(value => (int)value)];
}
