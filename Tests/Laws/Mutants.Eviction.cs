using KvIL.Conformance.Laws;
using KvIL.Conformance.Oracle;
using KvIL.Eviction;
using KvIL.Ops;

namespace KvIL.Tests.Laws;

/// <summary>Faults of scoring, allocation, selection and the loss.</summary>
internal static partial class Mutants
{
    private static IEnumerable<Mutant> Scores =>
    [
        Mutant.Of<WindowScoresOp>("WindowScores is one token late", WindowScoresLaws.Agrees, (op, f) =>
            op with { Tokens = f.Value(op.Tokens) + 1 }),
        Mutant.Of<WindowScoresOp>("WindowScores forgets the model's window", WindowScoresLaws.Agrees, (op, _) =>
            op with { Rule = op.Rule with { Window = null } }),
        Mutant.Of<WindowScoresOp>("WindowScores forgets the soft cap", WindowScoresLaws.Agrees, (op, _) =>
            op with { Rule = op.Rule with { SoftCap = null } }),
        Mutant.Of<WindowScoresOp>("WindowScores sums instead of averaging", WindowScoresLaws.Agrees, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix y = f.Reals(op.Y);
            y.Fill((i, j) => y[i, j] * f.Value(op.Queries));
        }),
        Mutant.Of<WindowScoresOp>("WindowScores takes the whole ring", WindowScoresLaws.Agrees, (op, _) =>
            op with { Queries = op.Window.Tensor.Shape[1] }),
        Mutant.Of<RecencyScoresOp>("RecencyScores counts rows", RecencyScoresLaws.Exact, (op, f) =>
        {
            OracleStore store = f.Store(op.Store);
            f.Reals(op.Y).Fill((h, j) => j < store.Run(f.Value(op.Sequence), h).Length ? j : 0);
        }),
        Mutant.Of<GroupMeanOp>("GroupMean forgets the mean", GroupMeanLaws.Agrees, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix x = f.Reals(op.X), y = f.Reals(op.Y);
            y.Fill((h, j) => y[h, j] * (x.Rows / y.Rows));
        }),
        Mutant.Of<PoolOp>("Pool takes the window along", PoolLaws.Agrees, (op, _) => op with { Window = 0 }),
        Mutant.Of<PoolOp>("Pool leaves out the last neighbour", PoolLaws.Agrees, (op, _) => op with { Kernel = Math.Max(1, op.Kernel - 2) }),
        Mutant.Of<PoolOp>("Pool lets NaN through the maximum", PoolLaws.Agrees, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix x = f.Reals(op.X), y = f.Reals(op.Y);
            if (op.Kind == PoolKind.Max) y.Fill((h, j) => y[h, j] != 0 && double.IsNaN(x[h, j]) ? double.NaN : y[h, j]);
        }),
        Mutant.Of<MaximumOp>("Maximum lets NaN through", MaximumLaws.Exact, (op, f) =>
        {
            Matrix a = f.Reals(op.A), b = f.Reals(op.B);
            f.Reals(op.Y).Fill((i, j) => Math.Max(a[i, j], b[i, j]));
        }),
    ];

    private static IEnumerable<Mutant> Choices =>
    [
        Mutant.Of<AllocateHeadsOp>("AllocateHeads gives the remainder to a higher head", AllocateHeadsLaws.Exact, (op, f) =>
        {
            OracleOps.Execute(op, f);
            ArraySegment<int> y = f.Integers(op.Y);
            int h = y.Zip(y.Skip(1)).TakeWhile(pair => pair.First != pair.Second + 1).Count();
            if (op.Rule == HeadAllocation.Uniform && h + 1 < y.Count) (y[h], y[h + 1]) = (y[h + 1], y[h]);
        }),
        Mutant.Of<AllocateHeadsOp>("AllocateHeads loses the remainder", AllocateHeadsLaws.TotalIsExact, (op, f) =>
            op with { Total = f.Value(op.Total) / f.Store(op.Store).StoreSpec.NumKvHeads * f.Store(op.Store).StoreSpec.NumKvHeads }),
        Mutant.Of<AllocateHeadsOp>("AllocateHeads forgets the sinks", AllocateHeadsLaws.TotalIsExact, (op, _) => op with { Sinks = 0 }),
        Mutant.Of<AllocateHeadsOp>("AllocateHeads takes NaN for the best", AllocateHeadsLaws.Exact, (op, f) =>
            Ranked(f.Reals(op.Scores), x => double.IsNaN(x) ? double.PositiveInfinity : x, () => OracleOps.Execute(op, f))),
        Mutant.Of<AllocateHeadsOp>("AllocateHeads orders -0 below +0", AllocateHeadsLaws.Exact, (op, f) =>
            Ranked(f.Reals(op.Scores), x => x == 0 && double.IsNegative(x) ? -float.Epsilon : x, () => OracleOps.Execute(op, f))),
        Mutant.Of<AllocateHeadsOp>("AllocateHeads breaks ties for the higher head", AllocateHeadsLaws.Exact, (op, f) =>
        {
            Matrix scores = f.Reals(op.Scores);
            int head = 0;
            Ranked(scores, x => Nudged(x, head++ / scores.Width), () => OracleOps.Execute(op, f));
        }),
        Mutant.Of<AllocateHeadsOp>("AllocateHeads swaps the shares of a blend", AllocateHeadsLaws.Limits, (op, _) => op with
        {
            FloorShare = new Ratio(op.FloorShare.Denominator - op.FloorShare.Numerator, op.FloorShare.Denominator),
        }),
        Mutant.Of<AllocateHeadsOp>("AllocateHeads is pure for an even total and uniform for an odd one", AllocateHeadsLaws.Monotone, (op, f) =>
            op with { Rule = f.Value(op.Total) % 2 == 0 ? HeadAllocation.Pure : HeadAllocation.Uniform }),
        Mutant.Of<SelectRowsOp>("SelectRows breaks ties for the later row", SelectRowsLaws.Exact, (op, f) =>
        {
            Matrix scores = f.Reals(op.Scores);
            int i = 0;
            Ranked(scores, x => Nudged(x, i++ % scores.Width), () => OracleOps.Execute(op, f));
        }),
        Mutant.Of<SelectRowsOp>("SelectRows forgets the window", SelectRowsLaws.KeepsTheBest, (op, _) => op with { Window = 0 }),
        Mutant.Of<SelectRowsOp>("SelectRows keeps the worst", SelectRowsLaws.KeepsTheBest, (op, f) =>
            Ranked(f.Reals(op.Scores), x => -x, () => OracleOps.Execute(op, f))),
        Mutant.Of<SelectRowsOp>("SelectRows leaves rows in the order of their scores", SelectRowsLaws.KeepsTheBest, (op, f) =>
        {
            OracleOps.Execute(op, f);
            ArraySegment<int> y = f.Integers(op.Y);
            y.AsSpan()[..f.Integers(op.Counts)[0]].Reverse();
        }),
        Mutant.Of<EvictionLossOp>("EvictionLoss takes the bound for the loss", EvictionLossLaws.IsTheChangeOfTheOutput, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix y = f.Reals(op.Y);
            y[0] = y[1];
        }),
        Mutant.Of<EvictionLossOp>("EvictionLoss forgets the model's window", EvictionLossLaws.IsTheChangeOfTheOutput, (op, _) =>
            op with { Rule = op.Rule with { Window = null } }),
        Mutant.Of<EvictionLossOp>("EvictionLoss is one token late", EvictionLossLaws.Agrees, (op, f) =>
            op with { Tokens = f.Value(op.Tokens) + 1 }),
        Mutant.Of<EvictionLossOp>("EvictionLoss forgets the factor 2 of eps", EvictionLossLaws.Ordered, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix y = f.Reals(op.Y);
            y[3] /= 2;
        }),
    ];

    // Changes the scores that an op reads, for the time that it runs.
    private static void Ranked(Matrix scores, Func<double, double> change, Action run)
    {
        double[] right = [.. Enumerable.Range(0, scores.Rows * scores.Width).Select(i => scores[i])];
        for (int i = 0; i < right.Length; i++) scores[i] = change(right[i]);
        run();
        scores.Fill((h, j) => right[(h * scores.Width) + j]);
    }

    // The next float but few: equal scores come to differ, others keep their order.
    private static double Nudged(double x, int steps)
    {
        float nudged = (float)x;
        for (int i = 0; i < steps; i++) nudged = MathF.BitIncrement(nudged);
        return nudged;
    }
}
