namespace KvIL.Eviction;

/// <summary>The scores of one store's rows, <c>[heads, stride]</c>, and how many rows each head has.</summary>
/// <param name="Scores">Higher is kept; NaN orders as −∞.</param>
/// <param name="Stride">Scores from one head to the next.</param>
/// <param name="Lengths">Rows of each head.</param>
/// <param name="Sinks">Protected rows at the start of each head.</param>
/// <param name="Window">Protected rows at the end of each head.</param>
public sealed record StoreScores(float[] Scores, int Stride, int[] Lengths, int Sinks, int Window)
{
    /// <summary>Protected rows over all heads.</summary>
    public long ProtectedTotal => Lengths.Sum(n => (long)n - ProtectedRows.Candidates(n, Sinks, Window));

    /// <summary>The rows of a head that may be dropped, in ascending position.</summary>
    public ReadOnlySpan<float> Candidates(int head) => Scores.AsSpan(
        (head * Stride) + ProtectedRows.Sinks(Lengths[head], Sinks, Window), ProtectedRows.Candidates(Lengths[head], Sinks, Window));
}

/// <summary>One total for the heads of all stores: a store gets what its heads have among the best rows of all.</summary>
/// <remarks>
/// Ada-KV (arXiv:2407.11550), Algorithm 1, over the concatenated heads of all layers, which minimises the sum of their bounds. Order: (score
/// descending, store ascending, head ascending, position ascending), so that a pure split of a store's total over its heads keeps
/// exactly the rows that the global order chose.
/// </remarks>
public static class GlobalBudgets
{
    /// <summary>Rows of each store over its heads, protected rows included: <c>Σ = min(total, all rows)</c>, at least the protected ones.</summary>
    /// <param name="stores">The stores, in ascending layer of their owners.</param>
    /// <param name="total">B, rows over all heads of all stores.</param>
    public static long[] Split(IReadOnlyList<StoreScores> stores, long total)
    {
        ArgumentNullException.ThrowIfNull(stores);
        long candidates = stores.Sum(s => s.Lengths.Sum(n => (long)n) - s.ProtectedTotal);
        long left = Math.Clamp(total - stores.Sum(s => s.ProtectedTotal), 0, candidates);
        uint threshold = Threshold(stores, left);
        long[] above = [.. stores.Select(s => Count(s, key => key > threshold))];
        long ties = left - above.Sum();
        long[] totals = new long[stores.Count];
        for (int s = 0; s < totals.Length; s++)
        {
            long admitted = Math.Min(ties, Count(stores[s], key => key == threshold));
            ties -= admitted;
            totals[s] = stores[s].ProtectedTotal + above[s] + admitted;
        }

        return totals;
    }

    /// <summary>Rows of each head of each store under one total, by a rule that may promise every head a share: <c>Σ = min(total, all rows)</c>.</summary>
    /// <remarks>Ada-KV's Algorithm 2 over the heads of all stores: as <see cref="AllocationQuotas.OfHeads(IReadOnlyList{StoreScores}, long, HeadAllocation, Ratio)"/>, rounded by largest remainder, the lower head of the lower store first among equals.</remarks>
    /// <param name="stores">The stores, in ascending layer of their owners.</param>
    /// <param name="total">B, rows over all heads of all stores, at least the protected ones.</param>
    /// <param name="rule">How they are divided.</param>
    /// <param name="floor">r of a blend, a floor or a mask; else unused.</param>
    /// <exception cref="OverflowException">A quota's numerator does not fit 64 bits.</exception>
    public static int[][] SplitHeads(IReadOnlyList<StoreScores> stores, long total, HeadAllocation rule, Ratio floor)
    {
        ArgumentNullException.ThrowIfNull(stores);
        HeadQuota[] quotas = AllocationQuotas.OfHeads(stores, total, rule, floor);
        long[] rows = [.. quotas.Select(quota => quota.Quota.Floor(1))];
        // All quotas of a rule have one denominator before they are reduced.
        IEnumerable<int> byRemainder = Enumerable.Range(0, rows.Length).OrderByDescending(h => quotas[h].Quota, RemainderOrder.Instance).ThenBy(h => h);
        long left = Math.Min(total, stores.Sum(s => s.Lengths.Sum(n => (long)n))) - rows.Sum();
        foreach (int head in byRemainder.Take((int)left)) rows[head]++;
        int next = 0;
        return [.. stores.Select(s => s.Lengths.Select(_ => (int)rows[next++]).ToArray())];
    }

    private sealed class RemainderOrder : IComparer<Ratio>
    {
        public static readonly RemainderOrder Instance = new();

        public int Compare(Ratio a, Ratio b) =>
            ((Int128)(a.Numerator % a.Denominator) * b.Denominator).CompareTo((Int128)(b.Numerator % b.Denominator) * a.Denominator);
    }

    // The lowest key among the best `count`, found digit by digit from the highest.
    private static uint Threshold(IReadOnlyList<StoreScores> stores, long count)
    {
        uint prefix = 0;
        long[] histogram = new long[ScoreOrder.Bins];
        for (int shift = 24; shift >= 0; shift -= ScoreOrder.DigitBits)
        {
            Array.Clear(histogram);
            foreach (StoreScores store in stores)
            {
                for (int h = 0; h < store.Lengths.Length; h++)
                {
                    foreach (float score in store.Candidates(h))
                    {
                        uint key = ScoreOrder.Key(score);
                        if (ScoreOrder.MatchesAbove(key, prefix, shift)) histogram[ScoreOrder.Digit(key, shift)]++;
                    }
                }
            }

            int digit = ScoreOrder.Bins - 1;
            while (digit > 0 && histogram[digit] < count) count -= histogram[digit--];
            prefix |= (uint)digit << shift;
        }

        return prefix;
    }

    private static long Count(StoreScores store, Predicate<uint> counts)
    {
        long n = 0;
        for (int h = 0; h < store.Lengths.Length; h++)
        {
            foreach (float score in store.Candidates(h))
            {
                if (counts(ScoreOrder.Key(score))) n++;
            }
        }

        return n;
    }
}
