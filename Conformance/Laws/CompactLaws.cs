using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="CompactOp"/>.</summary>
public static class CompactLaws
{
    private const int Spare = 3;

    public static Law<EvictionCase> Exact { get; } = new(
        "Compact_keeps_selected_rows_bit_for_bit_in_runs_without_gaps", "CompactOp; class Exact", (laws, c) =>
        {
            HostStore before = c.Store.Store();
            Eviction e = new(c, before);
            Slot next = e.Compact(c, before, Spare);
            PlanResults results = laws.Subject.Run(e.Scenario);
            HostStore after = results.Store(next);
            int[][] kept = Eviction.Split(results.Integers(e.Counts), results.Integers(e.Rows));
            long start = 0;
            for (int run = 0; run < before.Store.Runs; run++)
            {
                bool evicted = run / c.Store.KvHeads == c.Sequence;
                int[] rows = evicted ? kept[run % c.Store.KvHeads] : [.. Enumerable.Range(0, before.Lengths[run])];
                int capacity = evicted ? rows.Length + c.Slack : before.Capacities[run];
                Expect.True(after.Starts[run] == start, $"run {run}: expected to start at {start}, got {after.Starts[run]}");
                Expect.True(after.Lengths[run] == rows.Length, $"run {run}: expected {rows.Length} rows, got {after.Lengths[run]}");
                Expect.True(after.Capacities[run] == capacity, $"run {run}: expected capacity {capacity}, got {after.Capacities[run]}");
                SameRows(before, after, run, rows);
                start += capacity;
            }

            bool untouched = after.Positions.TakeLast(Spare).All(x => x == Canary.Integer)
                && after.Keys.TakeLast(Spare * c.Store.HeadDim).All(double.IsNaN)
                && after.Values.TakeLast(Spare * c.Store.HeadDim).All(double.IsNaN);
            Expect.True(untouched, $"rows behind the last run were written");
        });

    public static Law<EvictionCase> EvictedAttention { get; } = new(
        "Attention_over_kept_rows_is_attention_with_dropped_keys_at_minus_infinity", "CompactOp, AttendOp", (laws, c) =>
        {
            StoreCase shape = c.Store;
            HostStore before = shape.Store();
            HostTensor q = shape.NewQueries(), positions = shape.NewPositions(), sequences = shape.NewSequences();
            Eviction e = new(c, before);
            Dim n = e.Scenario.Bind("n", shape.N);
            Slot y = e.Scenario.Output(e.Scenario.Builder.Attend(
                e.Scenario.Input("q", q, n, q.RowElements),
                e.Compact(c, before, spare: 0),
                e.Scenario.Input("positions", positions, n),
                e.Scenario.Input("sequences", sequences, n),
                shape.Rule));
            PlanResults results = laws.Subject.Run(e.Scenario);
            int[][] kept = Eviction.Split(results.Integers(e.Counts), results.Integers(e.Rows));
            double[] expected = Masked(c, before, kept), magnitudes = Masked(c, before.AbsValues(), kept);
            Expect.Within(expected, results.Reals(y), AttentionTerms.Bounds(shape, before, magnitudes));
        });

    private static void SameRows(HostStore before, HostStore after, int run, int[] rows)
    {
        foreach ((int to, int from) in rows.Index())
        {
            Expect.True(after.Position(run, to) == before.Position(run, from), $"run {run}, row {to}: another position than row {from} had");
            Expect.Same($"key {to} of run {run}", before.Key(run, from), after.Key(run, to), Expect.SameBits);
            Expect.Same($"value {to} of run {run}", before.Value(run, from), after.Value(run, to), Expect.SameBits);
        }
    }

    // The new queries' attention over the full store, where the evicted sequence has some rows masked.
    private static double[] Masked(EvictionCase c, HostStore store, int[][] kept)
    {
        StoreCase shape = c.Store;
        double[] q = shape.NewQueries().Reals, y = new double[q.Length];
        int[] sequences = shape.NewSequences().Integers;
        for (int i = 0; i < shape.N * shape.QueryHeads; i++)
        {
            int sequence = sequences[i / shape.QueryHeads], kvHead = i % shape.QueryHeads / shape.Group, first = i * shape.HeadDim;
            Func<int, bool> isKept = sequence == c.Sequence ? row => kept[kvHead].Contains(row) : _ => true;
            int position = shape.NewPositions().Integers[i / shape.QueryHeads];
            Masked(store, store.Run(sequence, kvHead), q.AsSpan(first, shape.HeadDim), shape.Rule, position, isKept).CopyTo(y, first);
        }

        return y;
    }

    // Σ_j A_j v_j, A the softmax of the logits with −∞ where a row is dropped; zero when all are.
    private static double[] Masked(
        HostStore store, int run, ReadOnlySpan<double> q, AttentionRule rule, int position, Func<int, bool> isKept)
    {
        double[] logits = new double[store.Lengths[run]], y = new double[q.Length];
        for (int j = 0; j < logits.Length; j++)
        {
            for (int c = 0; c < q.Length; c++) logits[j] += rule.Scale * q[c] * store.Key(run, j)[c];
            if (rule.SoftCap is float cap) logits[j] = cap * Math.Tanh(logits[j] / cap);
            if (!isKept(j) || !rule.Sees(position, store.Position(run, j))) logits[j] = double.NegativeInfinity;
        }

        double max = logits.DefaultIfEmpty(double.NegativeInfinity).Max();
        if (double.IsNegativeInfinity(max)) return y;
        double sum = logits.Sum(s => Math.Exp(s - max));
        for (int j = 0; j < logits.Length; j++)
        {
            for (int c = 0; c < q.Length; c++) y[c] += Math.Exp(logits[j] - max) / sum * store.Value(run, j)[c];
        }

        return y;
    }
}
