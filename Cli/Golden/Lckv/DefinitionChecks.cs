using KvIL.Conformance.Golden.Eviction;
using KvIL.Conformance.Theory.Sharing;
using KvIL.Inference.Files;
using KvIL.Sharing;

namespace KvIL.Cli.Golden.Lckv;

/// <summary>What the definition in double gives for a case, against the official code in float64; and the published decode, which only the definition repeats.</summary>
internal sealed class DefinitionChecks
{
    private const double Exact = 1e-11, Single = 1e-4;
    private const string Defect = "published decode (definition)";

    private readonly string _name;
    private readonly IReadOnlyDictionary<string, GoldenTensor> _tensors;
    private readonly Tally _tally;
    private readonly SharedLlama _model;
    private readonly SharedLlama _published;
    private readonly int[] _input;
    private readonly int[] _prompt;

    public DefinitionChecks(LckvCase recorded, ModelConfig config, IReadOnlyDictionary<string, GoldenTensor> weights, IReadOnlyDictionary<string, GoldenTensor> tensors, Tally tally)
    {
        (_name, _tensors, _tally) = (recorded.Name, tensors, tally);
        (_input, _prompt) = (Integers("input_ids"), Integers("prompt_ids"));
        SharedLlamaSizes sizes = new(
            config.HiddenSize, config.NumQueryHeads, config.NumKvHeads, config.HeadDim, config.Layers[0].Rope!.Theta, config.RmsNormEps);
        SharedLlamaWeights all = new(sizes, weights.ToDictionary(w => w.Key, w => w.Value.Values));
        SharedLlama Build(bool defect) => new(all, config.Sharing ?? SharingMap.Identity(config.NumLayers))
        {
            StrictlyPast = config.StrictlyPast, Windows = [.. config.Layers.Select(layer => layer.Window)], RepeatsPublishedDefect = defect,
        };
        (_model, _published) = (Build(false), Build(true));
    }

    /// <summary>Compares what needs it.</summary>
    public void Run()
    {
        Compare("definition in double", "logits_exact_f64", Exact, () => _model.Sequential(_input));
        foreach (string name in Names("logits_iter_", "_f64"))
        {
            int passes = EngineChecks.Iterations(name["logits_iter_".Length..^"_f64".Length]).Passes;
            Compare("definition in double", name, Exact, () => _model.Iterate(new(_model.Map), _input, passes));
        }

        Compare(Defect, "logits_seq_main", Single, () => _published.Sequential(_input));
        foreach (string name in Names("greedy_main_", "_ids"))
        {
            CompareGreedy(name[..^"_ids".Length], EngineChecks.Iterations(name["greedy_main_".Length..^"_ids".Length]).Passes);
        }
    }

    private string[] Names(string start, string end) =>
        [.. _tensors.Keys.Where(name => name.StartsWith(start, StringComparison.Ordinal) && name.EndsWith(end, StringComparison.Ordinal))];

    // A prompt by passes, then the published decode.
    private void CompareGreedy(string name, int passes)
    {
        int[] ids = Integers($"{name}_ids");
        SharedCache cache = new(_model.Map);
        double[][] rows = _published.Greedy(cache, _published.Iterate(cache, _prompt, passes)[^1], ids.Length);
        int[] own = [.. rows.Select(row => Array.IndexOf(row, row.Max()))];
        int at = own.AsSpan().CommonPrefixLength(ids);
        _tally.Add(Defect, $"{_name}/{name}_ids", at == ids.Length ? null : $"token {at} is {own[at]}, recorded is {ids[at]}");
        if (at == ids.Length) Compare(Defect, $"{name}_logits", Single, () => rows);
    }

    private void Compare(string group, string name, double tolerance, Func<double[][]> rows)
    {
        if (_tensors.TryGetValue(name, out GoldenTensor? recorded)) _tally.Near(group, $"{_name}/{name}", recorded, rows(), tolerance);
    }

    private int[] Integers(string name) => [.. _tensors[name].Values.Select(value => (int)value)];
}
