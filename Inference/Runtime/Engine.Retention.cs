using KvIL.Eviction;

namespace KvIL.Inference.Runtime;

// Which rows of a store anybody still sees, and which policy cuts it.
public sealed partial class Engine
{
    private readonly int?[] _retentions; // by store
    private readonly EvictionPolicy?[] _rings; // by store
    private readonly bool _seesEverything; // some store is no ring

    /// <summary>KV heads of a store.</summary>
    internal int KvHeads(int store) => _storeSpecs[store].NumKvHeads;

    /// <summary>Rows of each head of a store that one of its readers may still see: the widest of their windows; null where one sees everything, or hidden rows are kept.</summary>
    internal int? Retention(int store) => _retentions[store];

    /// <summary>Whether a store is cut to what its readers' windows show, and by nothing else.</summary>
    /// <remarks>
    /// Hidden rows are never read, so dropping them changes nothing. Where other stores see everything, the budget is theirs; where all stores
    /// have windows a policy cuts them like any. Rows that move to consecutive positions must be as many in every store, and a head table speaks for every store: no ring then.
    /// </remarks>
    internal bool IsRing(int store, EvictionPolicy policy) =>
        _rings[store] is not null && !policy.Rerotates && policy.Table is null && (policy.KeepsEverything || _seesEverything);

    /// <summary>Stores that a policy's budget divides.</summary>
    internal int[] Evicting(EvictionPolicy policy) => [.. Enumerable.Range(0, _rings.Length).Where(store => !IsRing(store, policy))];

    /// <summary>Rows per KV head that each store keeps of a prompt: what the policy's budget means, or what windows show.</summary>
    internal int[] RowsOf(EvictionPolicy policy, int tokens)
    {
        CheckTable(Model, policy);
        int[] rows = [.. _retentions.Select(retention => Math.Min(retention ?? tokens, tokens))];
        int[] evicting = Evicting(policy);
        if (evicting.Length > 0)
        {
            int[] shares = StoreRows.Of(policy, tokens, [.. evicting.Select(store => Model.Transformer.Map.Readers(store).Length)]);
            for (int i = 0; i < evicting.Length; i++) rows[evicting[i]] = shares[i];
        }

        return rows;
    }

    /// <summary>Whether a policy keeps fewer rows of a prompt than it has tokens, in a store that is no ring.</summary>
    internal bool Evicts(EvictionPolicy policy, int[] rows, int tokens) => Evicting(policy).Any(store => rows[store] < tokens);

    /// <summary>The policy that cuts a store.</summary>
    internal EvictionPolicy PolicyOf(int store, EvictionPolicy policy) => IsRing(store, policy) ? _rings[store]! : policy;

    // Of a sequence whose prompt has been seen: rows over all heads to which a store is cut when its free rows run out.
    private long KeptOf(KvCache cache, int store, int sequence) =>
        IsRing(store, cache.Policies[sequence]) ? (long)_retentions[store]!.Value * KvHeads(store) : cache.At(store, sequence).Kept;

    // Drops what windows hide, once it is more than the free rows that decoding needs.
    private void TrimRings(KvCache cache, int sequence, int reserve)
    {
        EvictionPolicy policy = cache.Policies[sequence];
        for (int store = 0; store < _rings.Length; store++)
        {
            if (!IsRing(store, policy)) continue;
            int free = FreeRows(_rings[store]!, reserve);
            if (cache.Rows(store, sequence) + ((long)cache.At(store, sequence).Free * KvHeads(store)) > KeptOf(cache, store, sequence) + ((long)free * KvHeads(store)))
            {
                Compact(cache, cache, store, sequence, new(_rings[store]!, KeptOf(cache, store, sequence), free));
            }
        }
    }

    private int? RetentionOf(int store)
    {
        int?[] windows = [.. Model.Transformer.Map.Readers(store).Select(layer => Model.Config.Layers[layer].Window)];
        return Options.KeepsHiddenRows || windows.Contains(null) ? null : windows.Max();
    }
}
