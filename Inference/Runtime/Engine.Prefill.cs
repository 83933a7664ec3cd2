using KvIL.Eviction;

namespace KvIL.Inference.Runtime;

public sealed partial class Engine
{
    /// <summary>Runs a prompt through the model, keeps what the policy says, and leaves the logits of the last token.</summary>
    /// <remarks>
    /// When something will be evicted the prompt goes layer by layer, in chunks inside a layer, and each store is evicted
    /// as soon as its last reader is done, or all at the end where the policy compares stores. So it goes where the sharing map is cyclic
    /// (<see cref="EngineOptions.Prefill"/>) or the last layers write no store (<see cref="EngineOptions.FastPrefill"/>). Else the chunks go through all layers.
    /// With <paramref name="evictEvery"/> the prompt goes in parts, and each part is followed by an eviction to the budget of the whole
    /// prompt: later parts see what the earlier ones left, and never more than a part beyond the budget is held. After an exception, one
    /// from <paramref name="progress"/> included, what the sequence holds is undefined: dispose of the cache.
    /// </remarks>
    /// <param name="cache">A cache of this engine.</param>
    /// <param name="sequence">The sequence; what it holds already stays before the prompt.</param>
    /// <param name="ids">The prompt, at least one token.</param>
    /// <param name="policy">What to keep.</param>
    /// <param name="reserve">Tokens that will follow, as far as known.</param>
    /// <param name="progress">Told the share done, from 0 to 1.</param>
    /// <param name="evictEvery">Tokens of a part; 0 for one part.</param>
    /// <returns>Loss and bounds per layer, where the engine measures them and something was evicted; those of the last part.</returns>
    /// <exception cref="RequestException">The prompt is empty or longer than the run allows, or an id is none of the vocabulary, or the policy cannot be run.</exception>
    public IReadOnlyList<EvictionCost> Prefill(
        KvCache cache, int sequence, ReadOnlySpan<int> ids, EvictionPolicy policy, int reserve = int.MaxValue, Action<double>? progress = null, int evictEvery = 0)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentOutOfRangeException.ThrowIfNegative(evictEvery);
        if (ids.IsEmpty)
        {
            throw new RequestException("The prompt has no tokens; give at least one.");
        }

        CheckIds(ids);
        int total = cache.Tokens(sequence) + ids.Length;
        if (policy.Rerotates && evictEvery == 0 && cache.Position(sequence) + ids.Length > Options.MaxTokens)
        {
            evictEvery = Options.Chunk; // only in parts does it fit
        }

        if (evictEvery == 0)
        {
            return PrefillPart(cache, sequence, ids, policy, reserve, progress);
        }

        // The budget of the whole prompt, for every part.
        EvictionPolicy fixedRows = policy.KeepsEverything ? policy : policy.WithBudget(Budget.OfRows(Math.Max(1, policy.Budget.RowsFor(total))));
        IReadOnlyList<EvictionCost> costs = [];
        for (int first = 0; first < ids.Length; first += evictEvery)
        {
            (int begin, int count) = (first, Math.Min(evictEvery, ids.Length - first));
            int length = ids.Length;
            costs = PrefillPart(
                cache, sequence, ids.Slice(first, count), fixedRows, reserve,
                progress is null ? null : share => progress((begin + (share * count)) / length));
        }

        return costs;
    }

    /// <summary>Runs tokens that follow a prompt, such as a question about it, without evicting for them, and leaves the logits of the last.</summary>
    /// <remarks>They are kept: later evictions cut to the rows held before and these.</remarks>
    /// <param name="cache">A cache of this engine.</param>
    /// <param name="sequence">The sequence.</param>
    /// <param name="ids">The tokens, at least one.</param>
    /// <exception cref="RequestException">There is no token, or they exceed what the run allows, or an id is none of the vocabulary.</exception>
    public void Follow(KvCache cache, int sequence, ReadOnlySpan<int> ids)
    {
        ArgumentNullException.ThrowIfNull(cache);
        if (ids.IsEmpty)
        {
            throw new RequestException("There are no tokens to follow; give at least one.");
        }

        foreach (int store in Evicting(cache.Policies[sequence]))
        {
            Reserve(cache, store, sequence, ids.Length);
            cache.At(store, sequence).Kept += (long)ids.Length * KvHeads(store);
        }

        int[] sequences = new int[ids.Length];
        Array.Fill(sequences, sequence);
        Forward(cache, sequences, ids, [ids.Length - 1]);
    }

    private IReadOnlyList<EvictionCost> PrefillPart(
        KvCache cache, int sequence, ReadOnlySpan<int> ids, EvictionPolicy policy, int reserve, Action<double>? progress)
    {
        _traces.Clear();
        int tokens = cache.Tokens(sequence) + ids.Length;
        if (cache.Position(sequence) + ids.Length > Options.MaxTokens)
        {
            throw new RequestException(
                $"The prompt has {ids.Length} tokens, which makes {cache.Position(sequence) + ids.Length}, more than the {Options.MaxTokens} that this run allows; shorten it.");
        }

        int[] rows = RowsOf(policy, tokens);
        bool evicts = Evicts(policy, rows, tokens);
        if (!policy.NeedsAllQueries || (evicts && !Options.RemembersPrompt))
        {
            RequireQueries(policy, tokens);
        }

        CheckRows(policy, rows, tokens, cache, sequence);
        reserve = policy.Rerotates ? reserve : Math.Min(reserve, Options.MaxTokens - cache.Position(sequence) - ids.Length);
        if (evicts || GoesLayerwise(ids.Length))
        {
            return PrefillLayerwise(cache, sequence, ids, policy, reserve, progress);
        }

        for (int store = 0; store < rows.Length; store++)
        {
            Reserve(cache, store, sequence, IsRing(store, policy)
                ? Math.Min(ids.Length, rows[store] + Options.Chunk)
                : ids.Length + Room(policy, rows[store], tokens, reserve));
        }

        if (policy.Rerotates)
        {
            cache.Policies[sequence] = policy; // keeps rings out: all stores must hold equally many rows
        }

        int[] sequences = new int[Math.Min(ids.Length, Options.Chunk)];
        Array.Fill(sequences, sequence);
        for (int first = 0; first < ids.Length; first += Options.Chunk)
        {
            int n = Math.Min(Options.Chunk, ids.Length - first);
            int[] wanted = first + n == ids.Length ? [n - 1] : [];
            Forward(cache, sequences.AsSpan(0, n), ids.Slice(first, n), wanted, tokens);
            progress?.Invoke((double)(first + n) / ids.Length);
        }

        SetPolicy(cache, sequence, policy, Totals(rows), reserve);
        TrimRings(cache, sequence, reserve);
        return [];
    }
}
