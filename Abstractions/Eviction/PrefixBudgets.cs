namespace KvIL.Eviction;

/// <summary>PrefixKV's split of a total over layers: the least retained share of importance is made as large as it can be.</summary>
/// <remarks>
/// PrefixKV (arXiv:2412.03409). Importance is turned to whole numbers once, so that all that follows is exact: a layer's share is
/// compared with another's as a product of integers, and neither the order of a sum nor the scale of a layer matters.
/// <code>P_l(k) = Σ of the k largest weights of layer l / Σ of all      max over Σ k_l = B of min_l P_l(k_l)</code>
/// </remarks>
public static class PrefixBudgets
{
    private const double Unit = 1L << 31;

    /// <summary>A layer's importance as whole numbers, largest first: <c>round(2³¹ · I_j / max I)</c>.</summary>
    /// <remarks>NaN and negative importance count as 0; where no row has any, all are equal.</remarks>
    /// <param name="importance">I_j ≥ 0, any order.</param>
    public static long[] Weights(ReadOnlySpan<float> importance)
    {
        double max = 0;
        foreach (float x in importance) max = x > max ? x : max;
        long[] weights = new long[importance.Length];
        for (int j = 0; j < weights.Length; j++)
        {
            // Infinite importance leaves nothing for the others.
            double share = double.IsInfinity(max) ? (float.IsPositiveInfinity(importance[j]) ? 1 : 0) : importance[j] / max;
            weights[j] = max == 0 ? 1 : share > 0 ? (long)Math.Round(share * Unit) : 0;
        }

        Array.Sort(weights, (a, b) => b.CompareTo(a));
        return weights;
    }

    /// <summary>Rows of each layer: <paramref name="least"/> first, then one at a time to the layer that retains the smallest share.</summary>
    /// <remarks>
    /// Equal shares: the lower layer first. Every layer's rows grow with the total, so that keep sets nest, and
    /// <c>Σ k_l = min(B, Σ n_l)</c> exactly. A layer has at most n_l rows; with <c>B &lt; L · least</c> rows are dealt in rounds.
    /// O(B log L) with a heap.
    /// </remarks>
    /// <param name="weights">One array a layer, largest first, none negative, with a sum below 2⁶³.</param>
    /// <param name="total">B, rows over all layers.</param>
    /// <param name="least">Rows that every layer keeps, such as its protected ones.</param>
    /// <param name="budgets">k_l, one entry a layer.</param>
    /// <exception cref="ArgumentException">There is not one budget for each layer.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A count is negative.</exception>
    public static void Maximin(long[][] weights, long total, int least, Span<int> budgets)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentOutOfRangeException.ThrowIfNegative(total);
        ArgumentOutOfRangeException.ThrowIfNegative(least);
        if (weights.Length != budgets.Length) throw new ArgumentException($"Expected {weights.Length} budgets, got {budgets.Length}.", nameof(budgets));

        budgets.Clear();
        PriorityQueue<int, Share> waiting = new();
        for (int l = 0; l < weights.Length; l++)
        {
            if (weights[l].Length > 0) waiting.Enqueue(l, new(0, weights[l].Sum(), l, 0, least));
        }

        for (long row = 0; row < total && waiting.TryDequeue(out int l, out Share share); row++)
        {
            int k = ++budgets[l];
            if (k < weights[l].Length) waiting.Enqueue(l, share with { Kept = share.Kept + weights[l][k - 1], Rows = k });
        }
    }

    /// <summary>Rows of each layer by a table found beforehand: in proportion to the shares that the layers keep, with an exact total.</summary>
    /// <param name="evicted">The share of its rows that each layer DROPS, as the published tables have it; from 0 to 1.</param>
    /// <param name="length">T, rows of a layer.</param>
    /// <param name="total">B, rows over all layers.</param>
    /// <param name="budgets">k_l, one entry a layer.</param>
    /// <exception cref="ArgumentException">There is not one budget for each layer.</exception>
    public static void FromTable(ReadOnlySpan<double> evicted, int length, long total, Span<int> budgets)
    {
        double[] kept = new double[evicted.Length];
        for (int l = 0; l < kept.Length; l++) kept[l] = 1 - evicted[l];
        int[] capacities = new int[evicted.Length];
        Array.Fill(capacities, length);
        ProportionalBudgets.Split(ProportionalBudgets.Weights(kept), capacities, total, budgets);
    }

    /// <summary>What a layer retains; the smallest comes first, layers below their least rows before all.</summary>
    private readonly record struct Share(long Kept, long Sum, int Layer, int Rows, int Least) : IComparable<Share>
    {
        public int CompareTo(Share other)
        {
            bool owed = Rows < Least;
            if (owed != other.Rows < Least) return owed ? -1 : 1;

            // Kept/Sum < other.Kept/other.Sum; owed rows are dealt in rounds.
            int order = owed ? Rows.CompareTo(other.Rows) : ((Int128)Kept * other.Sum).CompareTo((Int128)other.Kept * Sum);
            return order != 0 ? order : Layer.CompareTo(other.Layer);
        }
    }
}
