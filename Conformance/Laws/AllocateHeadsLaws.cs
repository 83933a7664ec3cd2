using KvIL.Conformance.Generators;
using KvIL.Eviction;
using KvIL.Ops;
using KvIL.Plans;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="AllocateHeadsOp"/>.</summary>
public static class AllocateHeadsLaws
{
    public static Law<EvictionCase> Exact { get; } = new("AllocateHeads_equals_the_oracle", "AllocateHeadsOp; class Exact", (laws, c) =>
        Expect.Exact(Run(laws.Oracle, c), Run(laws.Subject, c)));

    public static Law<EvictionCase> TotalIsExact { get; } = new("AllocateHeads_meets_the_total_exactly", "design, 4", (laws, c) =>
    {
        int[] counts = Run(laws.Subject, c), lengths = c.Lengths;
        Expect.True(counts.Sum() == c.Kept, $"expected {c.Kept} rows in all, got {counts.Sum()}");
        for (int h = 0; h < counts.Length; h++)
        {
            int least = Math.Min(lengths[h], c.Sinks + c.Window);
            Expect.True(least <= counts[h] && counts[h] <= lengths[h], $"head {h}: expected {least} to {lengths[h]} rows, got {counts[h]}");
        }
    });

    public static Law<EvictionCase> Limits { get; } = new(
        "AllocateHeads_with_share_0_is_pure_and_a_blend_with_share_1_is_uniform", "Ada-KV, algorithms 1 and 2", (laws, c) =>
        {
            int[] pure = Run(laws.Subject, c with { Rule = HeadAllocation.Pure });
            int[] uniform = Run(laws.Subject, c with { Rule = HeadAllocation.Uniform });
            Expect.Exact(pure, Run(laws.Subject, c with { Rule = HeadAllocation.Blend, FloorShare = 0 }));
            Expect.Exact(pure, Run(laws.Subject, c with { Rule = HeadAllocation.Floor, FloorShare = 0 }));
            Expect.Exact(uniform, Run(laws.Subject, c with { Rule = HeadAllocation.Blend, FloorShare = 100 }));
        });

    /// <remarks>For heads with as many candidates as one another. A floor reserves ⌊r·B/H⌋ rows, so it grows in steps of H rows.</remarks>
    public static Law<EvictionCase> Monotone { get; } = new(
        "AllocateHeads_takes_no_row_from_a_head_when_the_total_grows", "HeadShares; monotone and nested shares", (laws, c) =>
        {
            c = c with { Store = c.Store with { Ragged = false } };
            int step = c.Rule is HeadAllocation.Floor or HeadAllocation.Mask ? c.Store.KvHeads : 1;
            int total = c.Total - ((c.Total - c.Protected) % step);
            int[] less = Run(laws.Subject, c, total), more = Run(laws.Subject, c, total + step);
            for (int h = 0; h < less.Length; h++)
            {
                Expect.True(less[h] <= more[h], $"head {h}: {less[h]} rows of {total}, {more[h]} of {total + step}");
            }
        });

    /// <remarks>For equal heads and a total that they divide: kvpress lets protected rows compete with a score that nothing beats.</remarks>
    public static Law<EvictionCase> Masked { get; } = new(
        "AllocateHeads_by_mask_is_a_floor_over_rows_whose_protected_ones_score_infinitely", "kvpress, AdaKVPress", (laws, c) =>
        {
            c = c with { Store = c.Store with { Ragged = false }, Rule = HeadAllocation.Mask, Scores = c.Scores == ValueKind.Specials ? ValueKind.Normal : c.Scores };
            (int heads, int length) = (c.Store.KvHeads, c.Lengths[0]);
            int kept = Math.Min(c.Total / heads, length), safe = Math.Max(1, (int)c.Share.Floor(kept));
            if (kept == 0) return;
            double[] scores = [.. c.ScoreRows(heads).Reals.Select((s, i) =>
                i % c.Columns >= length || (i % c.Columns >= Math.Min(c.Sinks, length - Math.Min(c.Window, length)) && i % c.Columns < length - c.Window) ? s : double.PositiveInfinity)];
            Scenario s = new("sentinels");
            Slot counts = s.Output(s.Builder.AllocateHeads(
                s.Input("scores", HostTensor.F32(scores, heads, c.Columns), heads, s.Bind("len", c.Columns)), s.Input("store", c.Store.Store()),
                s.Bind("sequence", c.Sequence), s.Bind("total", kept * heads), s.Bind("sinks", 0), s.Bind("window", 0), HeadAllocation.Floor, new Ratio(safe, kept)));
            Expect.Exact(laws.Oracle.Run(s).Integers(counts), Run(laws.Subject, c, kept * heads));
        });

    private static int[] Run(PlanRunner runner, EvictionCase c, int? total = null)
    {
        Scenario s = new("allocate");
        int heads = c.Store.KvHeads;
        Slot counts = s.Output(s.Builder.AllocateHeads(
            s.Input("scores", c.ScoreRows(heads), heads, s.Bind("len", c.Columns)),
            s.Input("store", c.Store.Store()),
            s.Bind("sequence", c.Sequence),
            s.Bind("total", total ?? c.Total),
            s.Bind("sinks", c.Sinks),
            s.Bind("window", c.Window),
            c.Rule,
            c.Share));
        return runner.Run(s).Integers(counts);
    }
}
