namespace KvIL.Eviction;

/// <summary>What a budget means: how many rows each store keeps of a prompt.</summary>
public static class StoreRows
{
    /// <summary>Rows per KV head, on average over the heads, that each of <paramref name="stores"/> stores keeps; protected rows included.</summary>
    /// <remarks>
    /// A prompt not longer than the window, or than the budget, is kept whole. A budget that rounds to nothing keeps one row.
    /// A pyramid divides what is beyond the window; a budget up to the window is the same for every store. A table of heads divides what is
    /// beyond all protected rows.
    /// Σ = stores · min(rows of the budget, tokens), exactly.
    /// </remarks>
    /// <param name="policy">The policy.</param>
    /// <param name="tokens">Tokens of the prompt.</param>
    /// <param name="stores">Stores of the model, in ascending layer of their owners, each with one reader.</param>
    /// <exception cref="ArgumentException">The policy's table is of another number of stores.</exception>
    public static int[] Of(EvictionPolicy policy, int tokens, int stores)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(stores, 1);
        return Of(policy, tokens, [.. Enumerable.Repeat(1, stores)]);
    }

    /// <summary>The same for stores that several layers read.</summary>
    /// <remarks>
    /// A policy with a reader power α gives store o rows in proportion to r_o^α, at most the tokens; by largest remainder, the lower store first among equals.
    /// One keep-list serves all readers of a store, so a wrong one costs as many layers.
    /// </remarks>
    /// <param name="policy">The policy.</param>
    /// <param name="tokens">Tokens of the prompt.</param>
    /// <param name="readers">Layers that read each store, in ascending layer of its owner.</param>
    public static int[] Of(EvictionPolicy policy, int tokens, ReadOnlySpan<int> readers)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        int stores = readers.Length;
        ArgumentOutOfRangeException.ThrowIfLessThan(stores, 1, nameof(readers));
        int[] rows = new int[stores];
        int budget = policy.KeepsEverything ? tokens : Math.Max(1, policy.Budget.RowsFor(tokens));
        if (tokens <= policy.Window || budget >= tokens)
        {
            Array.Fill(rows, tokens);
        }
        else if (policy.Table is HeadTable table)
        {
            int kept = KeptAlways(policy, tokens, budget);
            table.SplitOverLayers(tokens - kept, budget - kept, rows);
            for (int store = 0; store < stores; store++) rows[store] += kept;
        }
        else if (policy.Layers == LayerAllocation.Uniform && policy.ReaderPower.Numerator > 0)
        {
            int[] capacities = [.. Enumerable.Repeat(tokens, stores)];
            ProportionalBudgets.Split(Weights(readers, policy.ReaderPower), capacities, (long)budget * stores, rows);
        }
        else if (policy.Layers != LayerAllocation.Pyramid || budget <= policy.Window)
        {
            Array.Fill(rows, budget);
        }
        else
        {
            LayerBudgets.PyramidExact(budget - policy.Window, tokens - policy.Window, policy.Beta, rows);
            for (int store = 0; store < stores; store++)
            {
                rows[store] += policy.Window;
            }
        }

        return rows;
    }

    // r^α: whole numbers where α is one and they are small.
    private static long[] Weights(ReadOnlySpan<int> readers, Ratio power)
    {
        double[] weights = new double[readers.Length];
        for (int i = 0; i < weights.Length; i++) weights[i] = Math.Pow(readers[i], (double)power.Numerator / power.Denominator);
        return power.Denominator == 1 && weights.Max() < 1L << 40 ? [.. weights.Select(w => (long)w)] : ProportionalBudgets.Weights(weights);
    }

    // Rows of a head that are kept whatever a table says, at most the budget.
    internal static int KeptAlways(EvictionPolicy policy, int tokens, int budget)
    {
        (int sinks, int window) = policy.Protected(tokens);
        return (int)Math.Min((long)sinks + window, budget);
    }
}
