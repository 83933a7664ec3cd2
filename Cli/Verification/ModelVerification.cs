using System.Globalization;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Inference;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Tensors;

namespace KvIL.Cli.Verification;

/// <summary>Evicts a real prompt on a device and checks every layer's loss and bounds against double precision.</summary>
/// <remarks>
/// What must hold of the rows that the device keeps, with C over all rows and h query heads:
/// <code>
/// L ≤ θ ≤ ε_head ≤ ε                    in double to 1e-9, in the device's float32 to ε·1e-5 + 1e-5·h·C
/// |device − double|                     within the rounding bound of its arithmetic (Tolerance.Loss)
/// ε̄ of Ada ≤ of a blend ≤ of uniform    for scores that are the group mean of attention, not pooled; to the same 1e-5
/// Σ rows kept = budget                  exactly
/// </code>
/// The scores are float32, so rows may change places whose attention agrees to about 1e-5; hence the slack in the third.
/// </remarks>
internal sealed class ModelVerification : IDisposable
{
    private const int Window = 32;
    private const double FloatSlack = 1e-5;
    private const double DoubleSlack = 1e-9;

    private static readonly (int Window, int Kernel, string Promise)[] Settings =
    [
        (1, 1, "theorem 3.3 as it stands: the scores are the attention of the query that is measured"),
        (Window, 1, "its mean over a window of queries, for eps of the window"),
        (Window, 7, "the usual scores, pooled: L <= eps and no more"),
    ];

    private static readonly (string Split, string Policy)[] Splits =
        [("uniform", "snapkv:window={0},kernel={1}"), ("blend", "ada-snapkv:window={0},kernel={1}"), ("ada", "ada-snapkv:alloc=pure,window={0},kernel={1}")];

    private static readonly string[] Names = ["L", "theta", "eps_head", "eps"];

    private readonly Model _model;
    private readonly Engine _engine;
    private readonly KvCache _cache;
    private readonly CachedLayers _layers;
    private readonly int[] _ids;
    private readonly Budget _budget;
    private readonly int _rows;
    private readonly List<string> _violations = [];

    /// <summary>Reads the prompt into a full cache.</summary>
    /// <exception cref="RequestException">The budget does not leave a choice of rows.</exception>
    public ModelVerification(Model model, int[] ids, Budget budget)
    {
        (_model, _ids, _budget, _rows) = (model, ids, budget, budget.RowsFor(ids.Length));
        if (_rows <= Window || _rows >= ids.Length)
        {
            throw new RequestException(
                $"The budget of {budget} is {_rows} of the prompt's {ids.Length} tokens; between the window of {Window} and all of them there must be rows "
                + "to choose, so give another --budget or a longer prompt.");
        }

        _engine = new(model, new() { MaxTokens = ids.Length, RowType = DType.F32, Window = Window, MeasureLoss = true, KeepsHiddenRows = true });
        _cache = _engine.CreateCache();
        _layers = new(model, ids.Length);
    }

    /// <summary>Runs everything.</summary>
    /// <param name="name">What the report calls the model.</param>
    /// <param name="prompt">Where the prompt is from.</param>
    /// <param name="progress">Told the share done.</param>
    /// <param name="cancelled">Ends it.</param>
    public ModelReport Run(string name, string prompt, Action<double> progress, CancellationToken cancelled)
    {
        int layers = _model.Config.NumLayers;
        _engine.Prefill(_cache, 0, _ids, EvictionPolicy.Full, progress: _ => cancelled.ThrowIfCancellationRequested());
        Evicted[][] evicted = [.. Settings.Select(s => Splits.Select(split => Evict(split.Split, split.Policy, s.Window, s.Kernel)).ToArray())];
        List<LayerReport>[] reports = [.. Settings.Select(_ => new List<LayerReport>())];
        for (int layer = 0; layer < layers; layer++)
        {
            cancelled.ThrowIfCancellationRequested();
            AttentionLayer cached = _layers.Layer(_cache, layer);
            double[][] queries = _layers.Queries(_cache, layer, Window);
            LayerLoss loss = new(cached, queries[^1], _ids.Length - 1);
            for (int s = 0; s < Settings.Length; s++)
            {
                WindowBound bound = new(cached, queries[^Settings[s].Window..]);
                LayerReport report = new(layer, loss.Norm, [.. evicted[s].Select(e => e.Measure(layer, loss, bound))]);
                reports[s].Add(report);
                Check(Settings[s], report, [.. evicted[s].Select(e => loss.Rounding(e.Kept[layer]))]);
            }

            progress((layer + 1.0) / layers);
        }

        return new(
            name, _model.Backend.Name, prompt, _ids.Length, _budget.ToString(), _rows, _model.Config.NumQueryHeads, _model.Config.NumKvHeads,
            [.. Settings.Select((s, i) => new SettingReport(s.Window, s.Kernel, s.Promise, reports[i]))], _violations);
    }

    public void Dispose()
    {
        _layers.Dispose();
        _cache.Dispose();
        _engine.Dispose();
    }

    private Evicted Evict(string split, string text, int window, int kernel)
    {
        EvictionPolicy policy = EvictionPolicy.Parse(string.Format(CultureInfo.InvariantCulture, text, window, kernel)).WithBudget(_budget);
        using KvCache fork = _engine.Fork(_cache, 0, policy, 1, out IReadOnlyList<EvictionCost> costs);
        int[][][] kept = [.. Enumerable.Range(0, _model.Config.NumLayers).Select(layer => _layers.Kept(fork, layer))];
        return new(split, policy.ToString(), costs, kept);
    }

    private void Check((int Window, int Kernel, string) setting, LayerReport report, LossChain[] rounding)
    {
        double slack = FloatSlack * _model.Config.NumQueryHeads * report.C;
        string where = $"layer {report.Layer}, window={setting.Window}, kernel={setting.Kernel}";
        foreach ((SplitReport split, LossChain bound) in report.Splits.Zip(rounding))
        {
            Chain($"{where}, {split.Split} in double", split.Exact, DoubleSlack, 0);
            Chain($"{where}, {split.Split} on {_model.Backend.Name}", split.Device, FloatSlack, slack);
            foreach ((string name, double device, double exact, double most) in Names.Zip(split.Device.ToArray(), split.Exact.ToArray())
                .Zip(bound.ToArray(), (figure, most) => (figure.First, figure.Second, figure.Third, most)))
            {
                Require(Math.Abs(device - exact) <= most, $"{where}, {split.Split}: {name} is {device:R} on {_model.Backend.Name} and {exact:R} in double");
            }

            int kept = split.KeptOfHead.Sum();
            int wanted = _rows * _model.Config.NumKvHeadsOf(report.Layer);
            Require(kept == wanted, $"{where}, {split.Split}: keeps {kept} rows, the budget is {wanted}");
        }

        if (setting.Kernel != 1) return;
        for (int i = 1; i < report.Splits.Count; i++)
        {
            (SplitReport above, SplitReport below) = (report.Splits[i - 1], report.Splits[i]);
            Require(
                below.WindowEpsilon <= (above.WindowEpsilon * (1 + FloatSlack)) + slack,
                $"{where}: eps of {below.Split} is {below.WindowEpsilon:R}, above {above.Split}'s {above.WindowEpsilon:R}");
        }
    }

    private void Chain(string where, LossChain chain, double relative, double slack)
    {
        double[] values = chain.ToArray();
        for (int i = 1; i < values.Length; i++)
        {
            Require(
                values[i - 1] <= (values[i] * (1 + relative)) + slack,
                $"{where}: {Names[i - 1]} is {values[i - 1]:R}, above {Names[i]}, {values[i]:R}");
        }
    }

    private void Require(bool condition, FormattableString otherwise)
    {
        if (!condition) _violations.Add(otherwise.ToString(CultureInfo.InvariantCulture));
    }

    // One policy on the device, all layers.
    private sealed record Evicted(string Split, string Policy, IReadOnlyList<EvictionCost> Costs, int[][][] Kept)
    {
        public SplitReport Measure(int layer, LayerLoss loss, WindowBound bound)
        {
            EvictionCost cost = Costs.Single(c => c.Layer == layer);
            LossChain device = new(cost.Loss, cost.Theta, cost.EpsilonHead, cost.Epsilon), exact = loss.Of(Kept[layer]);
            double error = device.ToArray().Zip(exact.ToArray(), (a, b) => b == 0 ? Math.Abs(a) : Math.Abs(a - b) / b).Max();
            return new(Split, Policy, exact, device, error, bound.Epsilon(Kept[layer], loss.Norm), [.. Kept[layer].Select(rows => rows.Length)]);
        }
    }
}
