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
    /// <param name="stores">Stores of the model, in ascending layer of their owners.</param>
    /// <exception cref="ArgumentException">The policy's table is of another number of stores.</exception>
    public static int[] Of(EvictionPolicy policy, int tokens, int stores)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        ArgumentOutOfRangeException.ThrowIfLessThan(stores, 1);
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
        else if (policy.Layers == LayerAllocation.Uniform || budget <= policy.Window)
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

    // Rows of a head that are kept whatever a table says, at most the budget.
    internal static int KeptAlways(EvictionPolicy policy, int tokens, int budget)
    {
        (int sinks, int window) = policy.Protected(tokens);
        return (int)Math.Min((long)sinks + window, budget);
    }
}
