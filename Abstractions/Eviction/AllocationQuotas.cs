namespace KvIL.Eviction;

/// <summary>A head's share of its store's rows before it is rounded; protected rows are included everywhere.</summary>
/// <param name="Quota">What the rule gives the head, exactly.</param>
/// <param name="Adaptive">f_h, the head's rows among the best of all heads.</param>
/// <param name="Uniform">u_h, the same for all heads that have so many.</param>
/// <param name="Guaranteed">Rows that a floor promises the head; 0 where nothing is promised.</param>
public readonly record struct HeadQuota(Ratio Quota, long Adaptive, Ratio Uniform, long Guaranteed);

/// <summary>Budgets before they are rounded, for people who ask why: the same rules as those that evict, in exact fractions.</summary>
/// <remarks>
/// <code>
/// blend     quota_h = (1 − r) · f_h + r · u_h      rows: ⌊quota⌋, and one more for the largest remainders, ties to the lower head
/// uniform   quota_h = u_h                          the same
/// pure      quota_h = f_h                          whole
/// floor     quota_h = m_h + f'_h                   whole: m_h = ⌊r · u_h⌋ rows are promised, f' are the rows among the best of the rest
/// mask      the same, with m_h of <see cref="HeadShares.MaskRows"/>
/// </code>
/// Ada-KV (arXiv:2407.11550), Algorithms 1 and 2; the rounding itself is <see cref="HeadShares"/> and <see cref="LayerBudgets"/>.
/// </remarks>
public static class AllocationQuotas
{
    /// <summary>The quotas of a store's heads; <c>Σ = min(total, all rows)</c> exactly.</summary>
    /// <param name="store">The scores by which heads were compared.</param>
    /// <param name="total">B, rows over all heads, at least the protected ones.</param>
    /// <param name="rule">How they are divided.</param>
    /// <param name="floor">r of a blend or a floor; else unused.</param>
    /// <exception cref="OverflowException">A quota's numerator does not fit 64 bits.</exception>
    public static HeadQuota[] OfHeads(StoreScores store, long total, HeadAllocation rule, Ratio floor) => OfHeads([store], total, rule, floor);

    /// <summary>The same for the heads of several stores under one total, the lower store's first.</summary>
    /// <inheritdoc cref="OfHeads(StoreScores, long, HeadAllocation, Ratio)"/>
    public static HeadQuota[] OfHeads(IReadOnlyList<StoreScores> stores, long total, HeadAllocation rule, Ratio floor)
    {
        ArgumentNullException.ThrowIfNull(stores);
        StoreScores store = Joined(stores);
        int heads = store.Lengths.Length;
        int[] candidates = [.. Enumerable.Range(0, heads).Select(h => store.Candidates(h).Length)];
        long spare = Math.Clamp(total - store.ProtectedTotal, 0, candidates.Sum(n => (long)n));
        long[] best = Best([.. Enumerable.Range(0, heads).Select(h => store.Candidates(h).ToArray())], spare);
        (long[] uniform, long open) = Uniform(candidates, spare);
        HeadQuota[] quotas = new HeadQuota[heads];
        long[] promised = Promised(store, uniform, open, rule, floor);
        long[] rest = Rest(store, promised, spare);
        for (int h = 0; h < heads; h++)
        {
            long kept = store.Lengths[h] - candidates[h]; // protected
            Ratio quota = rule switch
            {
                HeadAllocation.Uniform => Plus(kept, uniform[h], open),
                HeadAllocation.Pure => Plus(kept, best[h], 1),
                HeadAllocation.Blend => Plus(
                    kept, checked(((floor.Denominator - floor.Numerator) * open * best[h]) + (floor.Numerator * uniform[h])), checked(open * floor.Denominator)),
                _ => Plus(kept, promised[h] + rest[h], 1),
            };
            quotas[h] = new(quota, kept + best[h], Plus(kept, uniform[h], open), rule is HeadAllocation.Floor or HeadAllocation.Mask ? kept + promised[h] : 0);
        }

        return quotas;
    }

    /// <summary>The quotas that a table gives the heads of a store.</summary>
    /// <param name="store">The scores by which heads would compete.</param>
    /// <param name="total">B, rows over all heads, at least the protected ones.</param>
    /// <param name="table">The table.</param>
    /// <param name="layer">The store's number.</param>
    /// <param name="isProtected">Rows of each head that are kept always.</param>
    /// <exception cref="OverflowException">A quota's numerator does not fit 64 bits.</exception>
    public static HeadQuota[] OfTable(StoreScores store, long total, HeadTable table, int layer, int isProtected)
    {
        ArgumentNullException.ThrowIfNull(table);
        Ratio[] quotas = table.Quotas(layer, store.Lengths, isProtected, total);
        return [.. OfHeads(store, total, HeadAllocation.Uniform, default).Zip(quotas, (head, quota) => head with { Quota = quota })];
    }

    /// <summary>Rows per KV head of each store before rounding, protected rows included; null where stores are compared, which gives whole rows.</summary>
    /// <remarks>
    /// <code>
    /// uniform    p · T, or the rows of the budget, T at most
    /// table      p + Σ_h x[l, h] / H of the rounded budget beyond the protected rows p   (<see cref="HeadTable"/>)
    /// pyramid    w + x_l of the rounded budget b = round(p · T) beyond the window w      (<see cref="LayerBudgets.PyramidQuota"/>)
    /// </code>
    /// <see cref="StoreRows"/> rounds them.
    /// </remarks>
    /// <param name="policy">The policy.</param>
    /// <param name="tokens">T, tokens of the prompt.</param>
    /// <param name="stores">Stores of the model.</param>
    public static Ratio?[] OfStores(EvictionPolicy policy, int tokens, int stores)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        Ratio?[] quotas = new Ratio?[stores];
        int budget = policy.KeepsEverything ? tokens : Math.Max(1, policy.Budget.RowsFor(tokens));
        if (tokens <= policy.Window || budget >= tokens)
        {
            Array.Fill(quotas, new Ratio(tokens, 1));
        }
        else if (policy.Table is HeadTable table)
        {
            int kept = StoreRows.KeptAlways(policy, tokens, budget);
            Ratio[] rows = table.LayerQuotas(tokens - kept, budget - kept);
            for (int store = 0; store < stores; store++)
            {
                quotas[store] = Plus(kept, rows[store].Numerator, rows[store].Denominator);
            }
        }
        else if (policy.Layers == LayerAllocation.Pyramid && budget > policy.Window)
        {
            for (int store = 0; store < stores; store++)
            {
                Ratio rows = LayerBudgets.PyramidQuota(budget - policy.Window, tokens - policy.Window, policy.Beta, store, stores);
                quotas[store] = Plus(policy.Window, rows.Numerator, rows.Denominator);
            }
        }
        else if (!policy.ComparesStores || budget <= policy.Window)
        {
            Array.Fill(quotas, policy.Budget.Share is Ratio share ? new(checked(share.Numerator * tokens), share.Denominator) : new Ratio(budget, 1));
        }

        return quotas;
    }

    // One store of all heads. Stores that are compared have seen the same tokens, so they protect the same rows.
    private static StoreScores Joined(IReadOnlyList<StoreScores> stores)
    {
        if (stores.Count == 1) return stores[0];
        int stride = stores.Max(s => s.Stride), heads = stores.Sum(s => s.Lengths.Length), head = 0;
        float[] scores = new float[(long)heads * stride];
        foreach (StoreScores s in stores)
        {
            for (int h = 0; h < s.Lengths.Length; h++, head++) s.Scores.AsSpan(h * s.Stride, s.Lengths[h]).CopyTo(scores.AsSpan(head * stride));
        }

        return new(scores, stride, [.. stores.SelectMany(s => s.Lengths)], stores.Max(s => s.Sinks), stores.Max(s => s.Window));
    }

    private static Ratio Plus(long whole, long numerator, long denominator) => new(checked((whole * denominator) + numerator), denominator);

    // f_h: every head is a store of its own to the global order.
    private static long[] Best(float[][] scores, long total) =>
        GlobalBudgets.Split([.. scores.Select(s => new StoreScores(s, s.Length, [s.Length], 0, 0))], total);

    // Numerators of u_h over the heads that are not full: filled like connected vessels, the smallest first.
    private static (long[] Numerators, long Open) Uniform(int[] candidates, long total)
    {
        int[] ascending = [.. Enumerable.Range(0, candidates.Length).OrderBy(h => candidates[h])];
        int full = 0;
        while (full < ascending.Length && (long)candidates[ascending[full]] * (ascending.Length - full) <= total)
        {
            total -= candidates[ascending[full++]];
        }

        long open = Math.Max(1, ascending.Length - full);
        long[] numerators = new long[candidates.Length];
        for (int i = 0; i < ascending.Length; i++)
        {
            numerators[ascending[i]] = i < full ? open * candidates[ascending[i]] : total;
        }

        return (numerators, open);
    }

    private static long[] Promised(StoreScores store, long[] uniform, long open, HeadAllocation rule, Ratio floor)
    {
        long[] promised = new long[uniform.Length];
        if (rule is not (HeadAllocation.Floor or HeadAllocation.Mask)) return promised;

        long spare = (uniform.Sum() / open) - uniform.Sum(u => u / open); // Σ u_h is whole
        for (int h = 0; h < uniform.Length; h++)
        {
            int candidates = store.Candidates(h).Length;
            bool isFull = uniform[h] == open * candidates;
            long whole = (uniform[h] / open) + (!isFull && spare-- > 0 ? 1 : 0);
            promised[h] = rule == HeadAllocation.Floor
                ? HeadShares.FloorRows(uniform[h], open, floor.Numerator, floor.Denominator)
                : HeadShares.MaskRows(uniform[h], open, floor.Numerator, floor.Denominator, store.Lengths[h] - candidates, whole);
        }

        return promised;
    }

    // Rows of each head among the best of those that nobody is promised.
    private static long[] Rest(StoreScores store, long[] promised, long spare)
    {
        float[][] scores = [.. promised.Select((m, h) => store.Candidates(h).ToArray().OrderByDescending(ScoreOrder.Key).Skip((int)m).ToArray())];
        return Best(scores, spare - promised.Sum());
    }
}
