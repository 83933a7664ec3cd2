using System.Numerics;
using KvIL.Eviction;
using KvIL.Ops;

namespace KvIL.Conformance.Oracle;

/// <summary>Definitions of the integer decisions, from the float32 scores: by full sorts, one row at a time, in unbounded integers.</summary>
internal static class AllocationOps
{
    // y[h] = protected rows + the head's share of the candidates
    public static void AllocateHeads(AllocateHeadsOp op, OracleFrame f)
    {
        OracleStore store = f.Store(op.Store);
        int heads = store.StoreSpec.NumKvHeads;
        int[] lengths = [.. Enumerable.Range(0, heads).Select(h => store.Run(f.Value(op.Sequence), h).Length)];
        int[][] candidates = [.. lengths.Select(n => Candidates(n, f.Value(op.Sinks), f.Value(op.Window)))];
        int[] n = [.. candidates.Select(rows => rows.Length)];
        int total = Math.Clamp(f.Value(op.Total) - (lengths.Sum() - n.Sum()), 0, n.Sum());
        int[] order = [.. Order(f.Reals(op.Scores), candidates).Select(entry => entry.Head)];
        int[] shares = Shares(op.Rule, n, total, order, op.FloorShare, [.. lengths.Zip(n, (length, own) => length - own)]);
        ArraySegment<int> y = f.Integers(op.Y);
        for (int h = 0; h < heads; h++) y[h] = lengths[h] - n[h] + shares[h];
    }

    // The protected rows of head h and its best candidates, counts[h] in all, ascending.
    public static void SelectRows(SelectRowsOp op, OracleFrame f)
    {
        OracleStore store = f.Store(op.Store);
        ArraySegment<int> counts = f.Integers(op.Counts), y = f.Integers(op.Y);
        int entry = 0;
        for (int h = 0; h < store.StoreSpec.NumKvHeads; h++)
        {
            int length = store.Run(f.Value(op.Sequence), h).Length;
            int[] candidates = Candidates(length, f.Value(op.Sinks), f.Value(op.Window));
            IEnumerable<int> always = Enumerable.Range(0, length).Except(candidates);
            int[][] own = [.. Enumerable.Range(0, store.StoreSpec.NumKvHeads).Select(g => g == h ? candidates : [])];
            IEnumerable<int> best = Order(f.Reals(op.Scores), own).Select(e => e.Row).Take(counts[h] - (length - candidates.Length));
            foreach (int row in always.Concat(best).Order()) y[entry++] = row;
        }
    }

    /// <summary>Rows that are not protected: the last rows are protected first, then the first ones of what is left.</summary>
    public static int[] Candidates(int length, int sinks, int window)
    {
        int end = length - Math.Min(window, length);
        int begin = Math.Min(sinks, end);
        return [.. Enumerable.Range(begin, end - begin)];
    }

    // (score descending, head ascending, row ascending); NaN as −∞, −0 = +0
    private static IEnumerable<(int Head, int Row)> Order(Matrix scores, int[][] candidates) =>
        from h in Enumerable.Range(0, candidates.Length)
        from row in candidates[h]
        let score = (float)scores[h, row]
        orderby (float.IsNaN(score) ? float.NegativeInfinity : score) descending, h, row
        select (h, row);

    // order: the head of each candidate, best first
    private static int[] Shares(HeadAllocation rule, int[] n, int total, int[] order, Ratio share, int[] protectedRows)
    {
        int[] nothing = new int[n.Length];
        if (total == n.Sum()) return n;
        return rule switch
        {
            HeadAllocation.Uniform => Uniform(n, total),
            HeadAllocation.Pure => TakeBest(nothing, order, total),
            HeadAllocation.Blend => Blend(n, total, TakeBest(nothing, order, total), share),
            HeadAllocation.Floor => TakeBest(Reserved(n, total, share), order, total),
            HeadAllocation.Mask => TakeBest(Promised(n, total, share, protectedRows), order, total),
            _ => throw new NotSupportedException($"oracle: no definition of the rule {rule}."),
        };
    }

    // Rows dealt one at a time in rounds, lowest head first, full heads skipped.
    private static int[] Uniform(int[] n, int total)
    {
        int[] dealt = new int[n.Length];
        for (int h = 0; total > 0; h = (h + 1) % n.Length)
        {
            if (dealt[h] == n[h]) continue;
            dealt[h]++;
            total--;
        }

        return dealt;
    }

    // Reserved rows are each head's best; the rest goes down the global order, past what is reserved already.
    private static int[] TakeBest(int[] reserved, int[] order, int total)
    {
        int[] taken = [.. reserved];
        int[] passed = new int[reserved.Length];
        int left = total - reserved.Sum();
        foreach (int h in order)
        {
            if (passed[h]++ < reserved[h] || left == 0) continue;
            taken[h]++;
            left--;
        }

        return taken;
    }

    // quota_h = (1 − r) f_h + r u_h,  r = a/R; floors, then one row each to the largest remainders, ties to the lower head
    private static int[] Blend(int[] n, int total, int[] best, Ratio r)
    {
        (BigInteger[] u, BigInteger open) = IdealShares(n, total);
        BigInteger denominator = open * r.Denominator;
        BigInteger[] quota = [.. u.Select((uh, h) => ((r.Denominator - r.Numerator) * open * best[h]) + (r.Numerator * uh))];
        int[] shares = [.. quota.Select(x => (int)(x / denominator))];
        IEnumerable<int> byRemainder = Enumerable.Range(0, n.Length).OrderByDescending(h => quota[h] % denominator).ThenBy(h => h);
        foreach (int h in byRemainder.Take(total - shares.Sum()).ToArray()) shares[h]++;
        return shares;
    }

    // m_h = ⌊r u_h⌋
    private static int[] Reserved(int[] n, int total, Ratio r)
    {
        (BigInteger[] u, BigInteger open) = IdealShares(n, total);
        return [.. u.Select(uh => (int)(r.Numerator * uh / (open * r.Denominator)))];
    }

    // max(1, ⌊r (u_h + P_h)⌋) rows of each head, its P_h protected ones among them; no more than the uniform share in whole rows
    private static int[] Promised(int[] n, int total, Ratio r, int[] protectedRows)
    {
        (BigInteger[] u, BigInteger open) = IdealShares(n, total);
        int[] uniform = Uniform(n, total);
        int Safe(int h) => Math.Max(1, (int)(r.Numerator * (u[h] + (open * protectedRows[h])) / (open * r.Denominator)));
        return [.. n.Select((_, h) => Math.Min(uniform[h], Math.Max(0, Safe(h) - protectedRows[h])))];
    }

    // The ideal uniform shares u_h, as numerators over a common denominator: heads that hold no more than an equal part of
    // what is left keep everything, and drop out; the others share the rest equally.
    private static (BigInteger[] Numerators, BigInteger Denominator) IdealShares(int[] n, int total)
    {
        List<int> open = [.. Enumerable.Range(0, n.Length)];
        int left = total;
        for (int full; (full = open.FindIndex(h => (long)n[h] * open.Count <= left)) >= 0; open.RemoveAt(full))
        {
            left -= n[open[full]];
        }

        return ([.. n.Select((nh, h) => open.Contains(h) ? left : (BigInteger)nh * open.Count)], open.Count);
    }
}
