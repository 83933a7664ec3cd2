using KvIL.Conformance.Generators;
using KvIL.Conformance.Oracle;
using KvIL.Eviction;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of what changes scores on their way to a choice: <see cref="WeighHeadsOp"/> to <see cref="ProtectRowsOp"/>.</summary>
public static class RankingLaws
{
    private const int Width = 9;

    public static Law<EvictionCase> Weighs { get; } = new("WeighHeads_agrees_with_the_oracle", "WeighHeadsOp; class Reduction", (laws, c) =>
    {
        (Scenario Scenario, Slot Y) Plan(HostTensor x, HostStore store, HostTensor weight)
        {
            Scenario s = new("weigh");
            return (s, s.Output(s.Builder.WeighHeads(
                s.Input("x", x, c.Store.QueryHeads, s.Bind("len", c.Columns)), s.Input("store", store), s.Input("projection", weight), s.Bind("sequence", c.Sequence))));
        }

        HostTensor scores = c.ScoreRows(c.Store.QueryHeads);
        (Scenario plan, Slot y) = Plan(scores, c.Store.Store(), Projection(c));
        (Scenario absolute, Slot terms) = Plan(scores.Abs(), c.Store.Store().AbsValues(), Projection(c).Abs());
        (PlanResults expected, PlanResults actual) = laws.Run(plan);
        double[] magnitude = laws.Oracle.Run(absolute).Reals(terms);
        Expect.Within(expected.Reals(y), actual.Reals(y), i => Tolerance.Reduction(c.Store.HeadDim + 7, magnitude[i]));
    });

    public static Law<EvictionCase> ScalesByMass { get; } = new("ScaleByMass_agrees_with_the_oracle", "ScaleByMassOp; a quotient of double sums", (laws, c) =>
    {
        Scenario s = new("mass");
        HostTensor scores = c.Store.Seed % 2 == 0 ? c.ScoreRows(c.Store.KvHeads).Abs() : c.ScoreRows(c.Store.KvHeads);
        (Slot x, Slot store, Dim sequence, Dim sinks, Dim window) = Inputs(s, c, scores);
        Slot y = s.Output(s.Builder.ScaleByMass(x, store, sequence, s.Bind("total", c.Total), sinks, window));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] truth = expected.Reals(y);
        Expect.Within(truth, actual.Reals(y), i =>
        {
            double[] rows = Candidates(c, scores, i / c.Columns);
            double lost = Tolerance.Real(rows.Length + 2) * rows.Sum(Math.Abs) / Math.Abs(rows.Sum()); // of the best rows' sum, in another order
            return Tolerance.Absolute(double.IsNaN(lost) ? 0 : lost * Math.Abs(scores.Reals[i]), truth[i]);
        });
    });

    public static Law<EvictionCase> TwoStages { get; } = new("TwoStageScores_agree_with_the_oracle", "TwoStageScoresOp; class Reduction", (laws, c) =>
    {
        Ratio epsilon = new(1, 1 + (c.Store.Seed % 10_000));
        (Scenario Scenario, Slot Y) Plan(HostTensor scores, HostStore held, HostTensor weight, Ratio e, bool noFirst)
        {
            Scenario s = new("two-stage");
            (Slot x, Slot store, Dim sequence, Dim sinks, Dim window) = Inputs(s, c, scores, held);
            Dim total = s.Bind("total", c.Kept);
            Slot counts = noFirst ? s.Input("counts", HostTensor.I32(new int[c.Store.KvHeads]))
                : s.Builder.AllocateHeads(x, store, sequence, total, sinks, window, c.Rule, c.Share);
            return (s, s.Output(s.Builder.TwoStageScores(
                x, counts, store, s.Input("projection", weight), sequence, sinks, window, e, total, noFirst || c.Rule != HeadAllocation.Mask ? default : c.Share)));
        }

        HostTensor scores = c.ScoreRows(c.Store.KvHeads);
        (Scenario plan, Slot y) = Plan(scores, c.Store.Store(), Projection(c), epsilon, noFirst: false);
        HostTensor zeros = HostTensor.F32(new double[scores.Reals.Length], c.Store.KvHeads, c.Columns);
        (Scenario absolute, Slot norms) = Plan(zeros, c.Store.Store().AbsValues(), Projection(c).Abs(), new(1, 1), noFirst: true);
        (PlanResults expected, PlanResults actual) = laws.Run(plan);
        double[] norm = laws.Oracle.Run(absolute).Reals(norms);
        Expect.Within(expected.Reals(y), actual.Reals(y), i =>
            Tolerance.Reduction(c.Store.HeadDim + 7 + c.Store.Group, (Math.Abs(scores.Reals[i]) + (epsilon.Numerator / (double)epsilon.Denominator)) * norm[i]));
    });

    public static Law<EvictionCase> Chunks { get; } = new("ChunkScores_agree_with_the_oracle", "ChunkScoresOp; double sums, rounded once", (laws, c) =>
    {
        (Scenario Scenario, Slot Y) Plan(HostTensor scores)
        {
            Scenario s = new("chunks");
            (Slot x, Slot store, Dim sequence, Dim sinks, Dim window) = Inputs(s, c, scores);
            return (s, s.Output(s.Builder.ChunkScores(x, store, sequence, sinks, window, c.Kernel)));
        }

        HostTensor scores = c.ScoreRows(c.Store.KvHeads);
        (Scenario plan, Slot y) = Plan(scores);
        (Scenario absolute, Slot terms) = Plan(scores.Abs());
        (PlanResults expected, PlanResults actual) = laws.Run(plan);
        (double[] truth, double[] magnitude) = (expected.Reals(y), laws.Oracle.Run(absolute).Reals(terms));
        Expect.Within(truth, actual.Reals(y), i => Tolerance.Absolute(Tolerance.Real(c.Kernel + c.Store.KvHeads + 2) * magnitude[i], truth[i]));
    });

    public static Law<EvictionCase> Protects { get; } = new("ProtectRows_equals_the_oracle", "ProtectRowsOp; class Exact", (laws, c) =>
    {
        Scenario s = new("protect");
        (Slot x, Slot store, Dim sequence, _, _) = Inputs(s, c, c.ScoreRows(c.Store.KvHeads));
        int[] positions = Draw.Ascending(c.Store.Seed, 31, c.Seen / 3, c.Seen + 2);
        Slot y = s.Output(s.Builder.ProtectRows(x, store, s.Input("positions", HostTensor.I32(positions), s.Bind("n", positions.Length)), sequence));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        Expect.Exact(expected.Reals(y), actual.Reals(y));
    });

    public static Law<ScoreCase> Prefers { get; } = new("LayerPreference_agrees_with_the_oracle", "LayerPreferenceOp; class Transcendental", (laws, c) =>
    {
        Scenario s = new("preference");
        Slot y = s.Output(s.Builder.LayerPreference(
            s.Input("queries", c.Store.QueryWindow()), s.Input("store", c.Store.Store()), s.Bind("sequence", c.Sequence), s.Bind("tokens", c.Tokens),
            s.Bind("at-hand", c.Queries, c.Store.Window), c.Store.Rule));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        ScoreTerms terms = new(c);
        (double h, double v) = RankingOps.DispersionAndShift(terms.Layer);
        double spread = terms.Spreads.Max();
        double bound = Tolerance.Preference(spread, c.Store.QueryHeads, c.Queries, c.Columns, h, v);
        Expect.Within(expected.Reals(y), actual.Reals(y), _ => bound);
    });

    private static (Slot X, Slot Store, Dim Sequence, Dim Sinks, Dim Window) Inputs(Scenario s, EvictionCase c, HostTensor scores, HostStore? store = null) => (
        s.Input("x", scores, c.Store.KvHeads, s.Bind("len", c.Columns)), s.Input("store", store ?? c.Store.Store()), s.Bind("sequence", c.Sequence),
        s.Bind("sinks", c.Sinks), s.Bind("window", c.Window));

    private static double[] Candidates(EvictionCase c, HostTensor scores, int head)
    {
        int length = c.Lengths[head], begin = ProtectedRows.Sinks(length, c.Sinks, c.Window), first = (head * c.Columns) + begin;
        return scores.Reals[first..(first + ProtectedRows.Candidates(length, c.Sinks, c.Window))];
    }

    private static HostTensor Projection(EvictionCase c) => HostTensor.Weight(
        DType.F32, Draw.Values(c.Store.Seed, 30, Width * c.Store.QueryHeads * c.Store.HeadDim, ValueKind.Normal), Width, c.Store.QueryHeads * c.Store.HeadDim);
}
