using KvIL.Ops;
using static KvIL.Conformance.Oracle.OracleOps;

namespace KvIL.Conformance.Oracle;

/// <summary>Definitions of the ops on stores and on the window of queries.</summary>
internal static class CacheOps
{
    // Row Start[r] + Length[r]++ of every run r of the token's sequence; nothing when the run is full.
    public static void Append(AppendOp op, OracleFrame f)
    {
        OracleStore store = f.Store(op.Store);
        Matrix keys = f.Reals(op.Keys), values = f.Reals(op.Values);
        ArraySegment<int> positions = f.Integers(op.Positions), sequences = f.Integers(op.Sequences);
        ArraySegment<int> lengths = store.RunLengths, capacities = store.RunCapacities;
        foreach ((int i, int h) in Pairs(keys.Rows, store.StoreSpec.NumKvHeads))
        {
            Run run = store.Run(sequences[i], h);
            if (run.Length == capacities[run.Index]) continue;
            int channel = h * run.HeadDim;
            store.SetRow(run.Start + run.Length, c => keys[i, channel + c], c => values[i, channel + c], positions[i]);
            lengths[run.Index]++;
        }
    }

    // The row at the token's position, in every head that has one.
    public static void ReplaceRows(ReplaceRowsOp op, OracleFrame f)
    {
        OracleStore store = f.Store(op.Store);
        Matrix keys = f.Reals(op.Keys), values = f.Reals(op.Values);
        ArraySegment<int> positions = f.Integers(op.Positions), sequences = f.Integers(op.Sequences);
        foreach ((int i, int h) in Pairs(keys.Rows, store.StoreSpec.NumKvHeads))
        {
            Run run = store.Run(sequences[i], h);
            int channel = h * run.HeadDim;
            foreach (int j in Enumerable.Range(0, run.Length).Where(j => run.Position(j) == positions[i]))
            {
                store.SetRow(run.Start + j, c => keys[i, channel + c], c => values[i, channel + c], positions[i]);
            }
        }
    }

    // y = max |new − old|, the new rows rounded
    public static void RowChange(RowChangeOp op, OracleFrame f)
    {
        OracleStore store = f.Store(op.Store);
        Matrix keys = f.Reals(op.Keys), values = f.Reals(op.Values);
        ArraySegment<int> positions = f.Integers(op.Positions), sequences = f.Integers(op.Sequences);
        double Change(double now, double before) => Math.Abs(Numbers.Round(now, store.StoreSpec.RowType) - before) is double d && double.IsNaN(d) ? double.PositiveInfinity : d;
        f.Reals(op.Y)[0, 0] = (
            from pair in Pairs(keys.Rows, keys.Width)
            let run = store.Run(sequences[pair.I], pair.J / store.StoreSpec.HeadDim)
            let c = pair.J % store.StoreSpec.HeadDim
            from j in Enumerable.Range(0, run.Length)
            where run.Position(j) == positions[pair.I]
            select Math.Max(Change(keys[pair.I, pair.J], run.Key(j, c)), Change(values[pair.I, pair.J], run.Value(j, c)))).Append(0).Max();
    }

    // y = Σ_j A_j v_j over the rows that the token sees
    public static void Attend(AttendOp op, OracleFrame f)
    {
        OracleStore store = f.Store(op.Store);
        Matrix q = f.Reals(op.Q), y = f.Reals(op.Y);
        ArraySegment<int> positions = f.Integers(op.Positions), sequences = f.Integers(op.Sequences);
        int d = store.StoreSpec.HeadDim, group = q.Width / d / store.StoreSpec.NumKvHeads;
        foreach ((int i, int h) in Pairs(q.Rows, q.Width / d))
        {
            Run run = store.Run(sequences[i], h / group);
            double[] attention = Attention(run, c => q[i, (h * d) + c], op.Rule, positions[i]);
            for (int c = 0; c < d; c++)
            {
                y[i, (h * d) + c] = Sum(run.Length, j => attention[j] * run.Value(j, c));
            }
        }
    }

    // A_j = exp(s_j) / Σ_i exp(s_i),  s_j = cap(scale · q·k_j) where row j is visible, else −∞; all zero when none is visible
    public static double[] Attention(Run run, Func<int, double> q, AttentionRule rule, int position)
    {
        double[] s = new double[run.Length];
        for (int j = 0; j < s.Length; j++)
        {
            bool visible = run.Position(j) <= position - rule.Lag && run.Position(j) > position - (long)rule.WindowOrAll;
            double logit = visible ? rule.Scale * Sum(run.HeadDim, c => q(c) * run.Key(j, c)) : double.NegativeInfinity;
            s[j] = visible && rule.SoftCap is float cap ? cap * Math.Tanh(logit / cap) : logit;
        }

        double max = s.Append(double.NegativeInfinity).Max();
        if (double.IsNegativeInfinity(max)) return new double[s.Length];
        double sum = s.Sum(x => Math.Exp(x - max));
        return [.. s.Select(x => Math.Exp(x - max) / sum)];
    }

    // window[s, p mod w, :] = q
    public static void RememberQueries(RememberQueriesOp op, OracleFrame f)
    {
        Matrix window = f.Reals(op.Window), q = f.Reals(op.Q);
        ArraySegment<int> positions = f.Integers(op.Positions), sequences = f.Integers(op.Sequences);
        int w = f.Value(op.Window.Tensor.Shape[1]);
        foreach ((int i, int k) in Pairs(q.Rows, q.Width))
        {
            window[(sequences[i] * w) + (positions[i] % w), k] = q[i, k];
        }
    }

    // Runs one after another: the selected rows with slack behind them, or everything with the capacity it had.
    public static void Compact(CompactOp op, OracleFrame f)
    {
        OracleStore store = f.Store(op.Store), next = f.Store(op.Next);
        ArraySegment<int> lengths = next.RunLengths, capacities = next.RunCapacities;
        int start = 0;
        foreach ((int sequence, int h) in Pairs(store.StoreSpec.Sequences, store.StoreSpec.NumKvHeads))
        {
            Run run = store.Run(sequence, h);
            bool evicted = sequence == f.Value(op.Sequence);
            int[] rows = evicted ? KeptRows(f.Integers(op.Counts), f.Integers(op.Rows), h) : [.. Enumerable.Range(0, run.Length)];
            next.SetStart(run.Index, start);
            lengths[run.Index] = rows.Length;
            capacities[run.Index] = evicted ? rows.Length + f.Value(op.Slack) : store.RunCapacities[run.Index];
            foreach ((int to, int j) in rows.Index())
            {
                next.SetRow(start + to, c => run.Key(j, c), c => run.Value(j, c), run.Position(j));
            }

            start += capacities[run.Index];
        }
    }

    // Entries Σ_{g<h} counts[g] .. Σ_{g≤h} counts[g] − 1.
    public static int[] KeptRows(ArraySegment<int> counts, ArraySegment<int> rows, int head) =>
        [.. rows.Skip(counts.Take(head).Sum()).Take(counts[head])];

    /// <summary>(0, 0), (0, 1), ..., (n − 1, m − 1).</summary>
    public static IEnumerable<(int I, int J)> Pairs(int n, int m) =>
        from i in Enumerable.Range(0, n) from j in Enumerable.Range(0, m) select (i, j);
}
