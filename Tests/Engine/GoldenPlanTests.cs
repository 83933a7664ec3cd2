using KvIL.Cli.Golden;
using KvIL.Conformance;
using KvIL.Conformance.Golden.Eviction;
using KvIL.Eviction;
using KvIL.Plans;
using KvIL.Reference;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Engines;

/// <summary>The recorded scores and rows of the papers' own code, through the plans that the engine runs.</summary>
public sealed class GoldenPlanTests : IDisposable
{
    // Official float32 against float32; the worst seen between it and double is 3.3e-7 (golden/eviction/README.md).
    private const double Share = 1e-6;

    private static IReadOnlyList<GoldenCase> Cases => EvictionGoldenFolder.Open(Repo.PathOf("golden/eviction")).Cases;

    private static readonly string[] Methods = ["SnapKV", "PyramidKV", "AdaptiveSnapKVCluster", "AdaKVCluster"];

    private readonly ReferenceBackend _backend = new(1);
    private readonly PlanRunner _runner;

    public GoldenPlanTests() => _runner = new(_backend);

    [Fact]
    public void Window_scores_and_kept_rows_are_the_recorded_ones()
    {
        (int scored, int selected) = (0, 0);
        foreach (GoldenCase c in Cases.Where(Applies))
        {
            float[][] scores = Scores(c);
            Near(c, scores);
            scored++;
            selected += Selects(c, scores) ? 1 : 0;
        }

        Assert.InRange(scored, 20, int.MaxValue); // of the 54 with queries and keys, those whose group is a mean or a sum
        Assert.InRange(selected, 15, int.MaxValue);
    }

    [Fact]
    public void Mutant_the_other_pooling() => Assert.ThrowsAny<Xunit.Sdk.XunitException>(() =>
        Assert.All(Cases.Where(Applies), c => Near(c, Scores(c, other: true))));

    public void Dispose()
    {
        _runner.Dispose();
        _backend.Dispose();
    }

    // A group's maximum is no op of ours; given attentions are no queries and keys.
    private static bool Applies(GoldenCase c) => c.Kind is "topk" or "ada" && c.Has("q", "k", "scores") && !c.Has("attentions_input")
        && Methods.Contains(c.Method.Split(' ')[0]) && Text(c, "gqa_func") != "max";

    private static string Text(GoldenCase c, string name) => c.Param(name, "");

    private static bool IsGrouped(GoldenCase c) => c.Repository == "NVIDIA/kvpress" || c.Param("gqa_support", false);

    // Without groups each query head has scores, and so a store, of its own.
    private static int ScoreHeads(GoldenCase c) => IsGrouped(c) ? c.Count("kv_heads") : c.Count("heads");

    private static HostStore Store(GoldenCase c)
    {
        (int heads, int rows, double[,,] k) = (ScoreHeads(c), c.Count("seq_len"), c.Tensor("k", 3).Cube());
        int d = k.GetLength(2);
        StoreSpec spec = new(1, heads, d, DType.F32, (long)heads * rows);
        double[] keys = [.. from h in Enumerable.Range(0, heads) from j in Enumerable.Range(0, rows) from x in Enumerable.Range(0, d)
            select k[h / (heads / k.GetLength(0)), j, x]];
        int[] lengths = [.. Enumerable.Repeat(rows, heads)];
        return new(
            spec, keys, new double[keys.Length], [.. Enumerable.Range(0, heads).SelectMany(_ => Enumerable.Range(0, rows))],
            [.. Enumerable.Range(0, heads).Select(h => (long)h * rows)], lengths, lengths);
    }

    private float[][] Scores(GoldenCase c, bool other = false)
    {
        (int heads, int rows, int w, int kernel) = (c.Count("heads"), c.Count("seq_len"), c.Count("window"), c.Count("kernel"));
        double[,,] q = c.Tensor("q", 3).Cube();
        int d = q.GetLength(2);
        double[] ring = new double[w * heads * d];
        foreach (int p in Enumerable.Range(rows - w, w))
        {
            for (int x = 0; x < heads * d; x++) ring[((p % w) * heads * d) + x] = q[x / d, p, x % d];
        }

        Scenario s = new("golden");
        PlanBuilder b = s.Builder;
        Slot store = s.Input("store", Store(c));
        Dim sequence = s.Bind("sequence", 0), window = s.Bind("window", w, w);
        Slot scores = b.WindowScores(
            s.Input("queries", HostTensor.F32(ring, 1, w, heads * d)), store, sequence, s.Bind("tokens", rows), window, s.Bind("len", rows), (float)(1 / Math.Sqrt(d)));
        bool max = Text(c, "pooling") == "maxpool" != other;
        Slot Pool(Slot x) => b.Pool(x, store, sequence, window, max ? PoolKind.Max : PoolKind.Avg, kernel);
        scores = c.Repository == "NVIDIA/kvpress" ? b.GroupMean(Pool(scores), ScoreHeads(c)) : Pool(b.GroupMean(scores, ScoreHeads(c)));
        s.Output(scores);
        double[] mean = _runner.Run(s).Reals(scores);

        // The same up to a constant where the official code sums.
        double factor = (Text(c, "reduce") == "sum" ? w : 1) * (Text(c, "gqa_func") == "sum" ? heads / c.Count("kv_heads") : 1);
        return [.. mean.Chunk(rows).Select(row => row.Take(rows - w).Select(x => (float)(x * factor)).ToArray())];
    }

    private static void Near(GoldenCase c, float[][] mine)
    {
        float[][] theirs = c.Tensor("scores", 2).Rows();
        int shift = c.HasField("definition_columns") ? c.Field<int[]>("definition_columns")[0] : 0;
        for (int h = 0; h < mine.Length; h++)
        {
            double bound = Share * mine[h].Max();
            for (int j = 0; j < mine[h].Length; j++)
            {
                Assert.True(Math.Abs(mine[h][j] - theirs[h][j + shift]) <= bound, $"{c}, head {h}, row {j}: {mine[h][j]:R} for {theirs[h][j + shift]:R}");
            }
        }
    }

    // Heads get the official counts (Ada: Compat's rounding of the counts that our scores give); rows are chosen by our scores.
    private bool Selects(GoldenCase c, float[][] scores)
    {
        int[]?[] recorded = c.Expected<int[]?[]>("kept");
        int[][] kept = [.. recorded.OfType<int[]>()];
        if (kept.Length < recorded.Length || kept.Length != scores.Length) return false;
        int[] counts = c.Expected<int[]>("selected_counts");
        int w = c.Count("window"), rows = c.Count("seq_len"), heads = scores.Length;
        if (c.Kind == "ada" && !c.Param("normalize", false) && !c.Expected<bool>("budget_ambiguous"))
        {
            int layerBase = c.Expected<int>("layer_base");
            int[] pure = Choose(c, scores, null, heads * (layerBase + w)).Counts;
            counts = [.. pure.Select(n => Compat.AdaBudget(n - w, layerBase, c.Param<double>("floor_alpha"), rows - w))];
            Assert.Equal(c.Expected<int[]>("budgets"), counts);
        }

        int unscored = rows - c.Tensor("scores", 2).Shape[1]; // kvpress scores its window too, by a sentinel
        int[] held = [.. counts.Select(n => n + unscored)];
        int[] chosen = Choose(c, scores, held, held.Sum()).Rows;
        Assert.Equal(kept.SelectMany(k => k), chosen);
        return true;
    }

    private (int[] Counts, int[] Rows) Choose(GoldenCase c, float[][] scores, int[]? counts, int total)
    {
        (int w, int rows) = (c.Count("window"), c.Count("seq_len"));
        Scenario s = new("choose");
        Slot store = s.Input("store", Store(c));
        double[] flat = [.. scores.SelectMany(row => row.Select(x => (double)x).Concat(new double[w]))];
        Slot ranked = s.Input("scores", HostTensor.F32(flat, scores.Length, rows), scores.Length, s.Bind("len", rows));
        Dim sequence = s.Bind("sequence", 0), sum = s.Bind("total", total), sinks = s.Bind("sinks", 0), window = s.Bind("window", w);
        Slot shares = counts is null
            ? s.Output(s.Builder.AllocateHeads(ranked, store, sequence, sum, sinks, window, HeadAllocation.Pure, default))
            : s.Input("counts", HostTensor.I32(counts));
        Slot chosen = s.Output(s.Builder.SelectRows(ranked, shares, store, sequence, sum, sinks, window));
        PlanResults results = _runner.Run(s);
        return (counts ?? results.Integers(shares), results.Integers(chosen));
    }
}
