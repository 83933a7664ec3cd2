namespace KvIL.Eviction;

/// <summary>Published roundings of head budgets, bit for bit; they do not meet their totals and serve comparison only.</summary>
public static class Compat
{
    /// <summary>Ada-KV: a head's quota before rounding, <c>fl(fl(f_i) · fl(1 − r)) + int(base · r)</c> in float32.</summary>
    /// <remarks>
    /// FFY0/AdaKV efe4e2e, <c>AdaptiveSnapKVCluster</c>. The product is a float32 because a tensor of integers is multiplied by a
    /// Python number there; a layer of 32 heads was seen to lose 29 rows and to gain 6.
    /// </remarks>
    /// <param name="adaptive">f_i, the head's count in the layer's top base · H.</param>
    /// <param name="layerBase">Rows per head without the window.</param>
    /// <param name="floorAlpha">r, the uniform share, in [0, 1].</param>
    public static float AdaQuota(int adaptive, int layerBase, double floorAlpha)
    {
        float scaled = adaptive * (float)(1 - floorAlpha);
        return scaled + (int)(layerBase * floorAlpha);
    }

    /// <summary>Ada-KV: a head's budget, its quota rounded, halves to even, at most <paramref name="candidates"/>.</summary>
    public static int AdaBudget(int adaptive, int layerBase, double floorAlpha, int candidates) =>
        Math.Min((int)MathF.Round(AdaQuota(adaptive, layerBase, floorAlpha), MidpointRounding.ToEven), candidates);

    /// <summary>HeadKV: the mean of a group's capacities, halves to even (KVCache-Factory, <c>HeadKVCluster</c>).</summary>
    /// <param name="capacities">Rows of each query head.</param>
    /// <param name="heads">Heads that keep rows of their own, a divisor of the number of capacities.</param>
    public static int[] HeadKvBudgets(ReadOnlySpan<int> capacities, int heads)
    {
        int group = capacities.Length / heads;
        int[] budgets = new int[heads];
        for (int h = 0; h < heads; h++)
        {
            long sum = 0;
            foreach (int rows in capacities.Slice(h * group, group)) sum += rows;
            budgets[h] = (int)Math.Round((double)sum / group, MidpointRounding.ToEven);
        }

        return budgets;
    }

    /// <summary>LU-KV: the rows that a table of shares leaves each head, in the float32 that it uses.</summary>
    /// <remarks>
    /// kvpress 8bb29b9, <c>LUKVPress</c>:
    /// <code>
    /// q_i = fl(fl(1 − p_i) · T)     B = round(Σ q), halves to even, in [H, H·T]     B_i = ⌊q_i⌋ + [one of the B − Σ⌊q⌋ largest fractions]
    /// </code>
    /// and at least 1, which may exceed B.
    /// </remarks>
    /// <param name="seqLen">T.</param>
    /// <param name="pruned">p_i, the share that head i loses.</param>
    public static int[] LuKvBudgets(int seqLen, ReadOnlySpan<float> pruned)
    {
        float[] quotas = new float[pruned.Length];
        float sum = 0;
        for (int h = 0; h < quotas.Length; h++) sum += quotas[h] = Math.Min(Math.Max(1f - pruned[h], 0f), 1f) * seqLen;

        long total = (long)MathF.Round(sum, MidpointRounding.ToEven);
        total = Math.Min(Math.Max(total, quotas.Length), (long)quotas.Length * seqLen);
        int[] budgets = [.. quotas.Select(q => (int)MathF.Floor(q))];
        long spare = total - budgets.Sum(b => (long)b);
        IEnumerable<int> byFraction = Enumerable.Range(0, quotas.Length).OrderByDescending(h => quotas[h] - MathF.Floor(quotas[h]));
        foreach (int h in byFraction.Take((int)Math.Min(Math.Max(spare, 0), quotas.Length))) budgets[h]++;
        return [.. budgets.Select(b => Math.Min(Math.Max(b, 1), seqLen))];
    }

    /// <summary>CAKE: layer budgets in proportion to preferences, truncated, with the remainder spread evenly instead of by fractions.</summary>
    /// <remarks>
    /// Its code's <c>adjust_budgets</c>. What exceeds n is spread over the layers below n, which may then exceed it; a layer keeps
    /// at most n of what it is given.
    /// </remarks>
    /// <param name="preferences">Preference of each layer, at least 0 and not all 0.</param>
    /// <param name="total">Rows over all layers.</param>
    /// <param name="candidates">n, rows of a layer before the window.</param>
    public static int[] CakeBudgets(ReadOnlySpan<float> preferences, int total, int candidates)
    {
        float sum = 0;
        foreach (float p in preferences) sum += p;
        int[] given = new int[preferences.Length];
        for (int l = 0; l < given.Length; l++) given[l] = (int)(preferences[l] / sum * total);

        long excess = given.Sum(b => (long)Math.Max(b - candidates, 0));
        for (int l = 0; l < given.Length; l++) given[l] = Math.Min(given[l], candidates);
        Spread(given, excess, b => b < candidates);
        long missing = total - given.Sum(b => (long)b);
        Spread(given, missing, missing > 0 ? b => b < candidates : b => b > 1);
        return given;
    }

    // The same to every entry that takes part, and one more to the first of them.
    private static void Spread(int[] budgets, long rows, Func<int, bool> takesPart)
    {
        int[] part = [.. Enumerable.Range(0, budgets.Length).Where(l => takesPart(budgets[l]))];
        if (part.Length == 0 || rows == 0) return;
        (long each, long more) = Math.DivRem(Math.Abs(rows), part.Length);
        for (int i = 0; i < part.Length; i++) budgets[part[i]] += Math.Sign(rows) * (int)(each + (i < more ? 1 : 0));
    }
}
