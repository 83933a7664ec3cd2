using KvIL.Conformance.Laws;
using KvIL.Conformance.Oracle;
using KvIL.Ops;
using KvIL.Tensors;

namespace KvIL.Tests.Laws;

/// <summary>Faults of the ops on stores.</summary>
internal static partial class Mutants
{
    private static AttentionRule Wider(AttentionRule rule, int by) => rule with { Window = rule.Window is int w ? Math.Max(1, w + by) : null };

    private static IEnumerable<Mutant> Cache =>
    [
        Mutant.Of<AppendOp>("Append swaps keys and values", AppendLaws.Exact, (op, _) => op with { Keys = op.Values, Values = op.Keys }),
        Mutant.Of<AppendOp>("Append writes positions one too high", AppendLaws.BatchEqualsAlone, (op, f) =>
            Shifted(f.Integers(op.Positions), 1, () => OracleOps.Execute(op, f))),
        Mutant.Of<AppendOp>("Append ignores the capacity", AppendLaws.Full, (op, f) =>
        {
            ArraySegment<int> capacities = f.Store(op.Store).RunCapacities;
            Shifted(capacities, 1, () => OracleOps.Execute(op, f));
        }),
        Mutant.Of<AppendOp>("Append writes every token to the first sequence", AppendLaws.Exact, (op, f) =>
            Shifted(f.Integers(op.Sequences), int.MinValue / 2, () => OracleOps.Execute(op, f), least: 0)),
        Mutant.Of<AppendOp>("Append truncates to half", AppendLaws.Exact, (op, f) =>
        {
            foreach (Matrix rows in new[] { f.Reals(op.Keys), f.Reals(op.Values) }) rows.Fill((i, c) => TowardZero(rows[i, c]));
            OracleOps.Execute(op, f);
        }),
        Mutant.Of<AppendOp>("Append gives the first row of a call its last position", SplitLaws.SplitInvariance, (op, f) =>
        {
            ArraySegment<int> positions = f.Integers(op.Positions);
            Replaced(positions, [positions[^1], .. positions.Skip(1)], () => OracleOps.Execute(op, f));
        }),
        Mutant.Of<ReplaceRowsOp>("ReplaceRows writes one position late", ReplaceRowsLaws.AppendedTwice, (op, f) =>
            Shifted(f.Integers(op.Positions), 1, () => OracleOps.Execute(op, f))),
        Mutant.Of<ReplaceRowsOp>("ReplaceRows leaves the values", ReplaceRowsLaws.Exact, (op, _) => op with { Values = op.Keys }),
        Mutant.Of<RowChangeOp>("RowChange forgets the values", ReplaceRowsLaws.Change, (op, _) => op with { Values = op.Keys }),
        Mutant.Of<AttendOp>("Attend's strictly past sees the present", AttendLaws.Agrees, (op, _) => op with { Rule = op.Rule with { StrictlyPast = false } }),
        Mutant.Of<AttendOp>("Attend does not see the token's own row", AttendLaws.Agrees, (op, f) =>
            Shifted(f.Integers(op.Positions), -1, () => OracleOps.Execute(op, f))),
        Mutant.Of<AttendOp>("Attend sees one row of the future", AttendLaws.BatchEqualsAlone, (op, f) =>
            Shifted(f.Integers(op.Positions), 1, () => OracleOps.Execute(op, f))),
        Mutant.Of<AttendOp>("Attend forgets the scale", AttendLaws.Agrees, (op, _) => op with { Rule = op.Rule with { Scale = 1 } }),
        Mutant.Of<AttendOp>("Attend's window is one too wide", AttendLaws.Agrees, (op, _) => op with { Rule = Wider(op.Rule, 1) }),
        Mutant.Of<AttendOp>("Attend's window is one too narrow", AttendLaws.BatchEqualsAlone, (op, _) => op with { Rule = Wider(op.Rule, -1) }),
        Mutant.Of<AttendOp>("Attend forgets the window", CompactLaws.EvictedAttention, (op, _) => op with { Rule = op.Rule with { Window = null } }),
        Mutant.Of<AttendOp>("Attend forgets the soft cap", AttendLaws.Agrees, (op, _) => op with { Rule = op.Rule with { SoftCap = null } }),
        Mutant.Of<AttendOp>("Attend caps before it scales", AttendLaws.Agrees, (op, _) =>
            op with { Rule = op.Rule with { SoftCap = op.Rule.SoftCap / op.Rule.Scale } }),
        Mutant.Of<AttendOp>("Attend gives the first row where none is visible", AttendLaws.Agrees, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Run run = f.Store(op.Store).Run(f.Integers(op.Sequences)[0], 0);
            if (run.Length > 0 && f.Integers(op.Positions)[0] < run.Position(0)) f.Reals(op.Y)[0, 0] = run.Value(0, 0);
        }),
        Mutant.Of<AttendOp>("Attend deals heads round to KV heads", AttendLaws.Agrees, (op, f) =>
        {
            StoreSpec store = f.Store(op.Store).StoreSpec;
            Matrix q = f.Reals(op.Q), y = f.Reals(op.Y);
            int heads = q.Width / store.HeadDim, group = heads / store.NumKvHeads;
            int To(int k) => ((k / store.HeadDim % store.NumKvHeads * group) + (k / store.HeadDim / store.NumKvHeads)) * store.HeadDim;
            double[] right = [.. Enumerable.Range(0, q.Rows * q.Width).Select(i => q[i])];
            for (int i = 0; i < right.Length; i++) q[i / q.Width, To(i % q.Width) + (i % store.HeadDim)] = right[i];
            OracleOps.Execute(op, f);
            double[] dealt = [.. Enumerable.Range(0, right.Length).Select(i => y[i / q.Width, To(i % q.Width) + (i % store.HeadDim)])];
            y.Fill((i, k) => dealt[(i * q.Width) + k]);
            q.Fill((i, k) => right[(i * q.Width) + k]);
        }),
        Mutant.Of<RememberQueriesOp>("RememberQueries shifts the ring", RememberQueriesLaws.Exact, (op, f) =>
            Shifted(f.Integers(op.Positions), 1, () => OracleOps.Execute(op, f))),
        Mutant.Of<RememberQueriesOp>("RememberQueries numbers tokens by the call", SplitLaws.SplitInvariance, (op, f) =>
        {
            ArraySegment<int> positions = f.Integers(op.Positions);
            Replaced(positions, [.. Enumerable.Range(0, positions.Count)], () => OracleOps.Execute(op, f));
        }),
        Mutant.Of<CompactOp>("Compact leaves no slack", CompactLaws.Exact, (op, _) => op with { Slack = 0 }),
        Mutant.Of<CompactOp>("Compact evicts another sequence", CompactLaws.Exact, (op, f) => op with { Sequence = f.Value(op.Sequence) + 1 }),
        Mutant.Of<CompactOp>("Compact keeps the first rows", CompactLaws.EvictedAttention, (op, f) =>
        {
            int[] first = [.. f.Integers(op.Counts).SelectMany(count => Enumerable.Range(0, count))];
            Replaced(f.Integers(op.Rows), first, () => OracleOps.Execute(op, f));
        }),
        Mutant.Of<CompactOp>("Compact renumbers positions", CompactLaws.Exact, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Run run = f.Store(op.Next).Run(f.Value(op.Sequence), 0);
            ArraySegment<int> positions = run.Positions;
            for (int j = 0; j < run.Length; j++) positions[run.Start + j] = j;
        }),
        Mutant.Of<CompactOp>("Compact writes behind the last run", CompactLaws.Exact, (op, f) =>
        {
            OracleOps.Execute(op, f);
            OracleStore next = f.Store(op.Next);
            next.SetRow((int)next.StoreSpec.Rows - 1, _ => 0, _ => 0, 0);
        }),
    ];

    // The half next to a number on the side of zero.
    private static double TowardZero(double x)
    {
        Half nearest = (Half)x;
        return (double)(Math.Abs((double)nearest) <= Math.Abs(x) ? nearest : x > 0 ? Half.BitDecrement(nearest) : Half.BitIncrement(nearest));
    }
}
