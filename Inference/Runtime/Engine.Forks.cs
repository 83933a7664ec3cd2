using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Tensors;

namespace KvIL.Inference.Runtime;

// Copies of caches, whole or cut to rows that are named.
public sealed partial class Engine
{
    private IBuffer[]? _unread;

    /// <summary>A new cache that holds the rows named of a sequence, in place of those that a policy would keep; the given one stays as it is.</summary>
    /// <remarks>Nothing is evicted from the fork later, and it remembers no queries. Other sequences are copied whole.</remarks>
    /// <param name="cache">A cache of this engine.</param>
    /// <param name="sequence">The sequence.</param>
    /// <param name="rows">By store and KV head, indices of the rows kept, ascending.</param>
    /// <param name="reserve">Tokens that will follow, as far as known.</param>
    /// <exception cref="ArgumentException">The rows are not ascending indices of each head's rows.</exception>
    public KvCache ForkRows(KvCache cache, int sequence, IReadOnlyList<int[][]> rows, int reserve)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(rows);
        _traces.Clear();
        CheckRows(cache, sequence, rows);
        reserve = Math.Min(reserve, Options.MaxTokens - cache.Position(sequence));
        KvCache fork = Copy(cache, remembers: false);
        fork.Policies[sequence] = EvictionPolicy.Full;
        for (int store = 0; store < rows.Count; store++)
        {
            KeepRows(cache, fork, store, sequence, rows[store], Math.Max(1, reserve));
        }

        return fork;
    }

    /// <summary>Scores of a sequence's rows, which serve every fork by the same score, whatever its budget and its split over heads.</summary>
    /// <param name="cache">A cache of this engine.</param>
    /// <param name="sequence">The sequence, all of its prompt seen.</param>
    /// <param name="policy">A policy that scores rows and does not compare stores.</param>
    /// <returns>By store, <c>[kv_heads, longest run]</c>; those of rows that the policy always keeps do not matter.</returns>
    /// <exception cref="ArgumentException">The policy has no scores, compares stores by them, or scores by the rows that it keeps.</exception>
    /// <exception cref="RequestException">The policy reads more queries than are remembered, or the backend cannot run it.</exception>
    public IReadOnlyList<float[]> RowScores(KvCache cache, int sequence, EvictionPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(policy);
        if (!Scores(policy) || policy.ComparesStores || policy.Rule is Eviction.Scores.BlocksScore)
        {
            throw new ArgumentException($"{policy.Name} has no scores of one store for itself.", nameof(policy));
        }

        RequireQueries(policy, cache, sequence);
        return [.. Enumerable.Range(0, Model.Transformer.Map.NumStores).Select(store => ScoreOf(cache, store, sequence, new(policy, 0, 0)).Scores)];
    }

    /// <summary>Where caches that remember no queries leave theirs: one set for all of them, which nobody reads.</summary>
    internal IReadOnlyList<IBuffer> UnreadQueries() => _unread ??=
        [.. Enumerable.Range(0, Model.Config.NumLayers).Select(WindowSpec).OfType<TensorSpec>().Select(spec => Model.Backend.Allocate(spec, MemoryKind.Cache))];

    private void CheckRows(KvCache cache, int sequence, IReadOnlyList<int[][]> rows)
    {
        int stores = Model.Transformer.Map.NumStores;
        if (rows.Count != stores || rows.Index().Any(heads => heads.Item.Length != KvHeads(heads.Index)))
        {
            throw new ArgumentException($"expected rows of {stores} stores, of each of their heads.", nameof(rows));
        }

        for (int store = 0; store < stores; store++)
        {
            int[] lengths = Lengths(cache, store, sequence);
            for (int head = 0; head < lengths.Length; head++)
            {
                int[] kept = rows[store][head];
                if (kept.Length > 0 && (kept[0] < 0 || kept[^1] >= lengths[head] || kept.Zip(kept.Skip(1)).Any(pair => pair.First >= pair.Second)))
                {
                    throw new ArgumentException($"expected ascending rows below {lengths[head]} in store {store}, head {head}.", nameof(rows));
                }
            }
        }
    }

    // A row that is named scores 1, another 0, and each head keeps as many as are named.
    private void KeepRows(KvCache from, KvCache to, int store, int sequence, int[][] rows, int free)
    {
        int heads = KvHeads(store);
        int stride = from.At(store, sequence).LongestRun;
        float[] scores = new float[heads * stride];
        for (int head = 0; head < heads; head++)
        {
            foreach (int row in rows[head])
            {
                scores[(head * stride) + row] = 1;
            }
        }

        int[] counts = [.. rows.Select(kept => kept.Length)];
        int total = counts.Sum();
        EvictionExecutable eviction = Eviction(Key(EvictionPolicy.Full, store, Ranking.GivenRows, EvictionExtras.None, wholePrompt: false));
        IStore fresh = Model.Backend.Allocate(StoreSpec(store) with { Rows = to.PoolRows(store, sequence, total + ((long)free * heads)) });
        try
        {
            eviction.Enqueue(new(from, store, sequence, stride, total, 0, 0, free) { Fresh = fresh, Scores = scores, Counts = counts });
        }
        catch
        {
            fresh.Dispose();
            throw;
        }

        to.Replace(store, fresh);
        to.At(store, sequence) = to.At(store, sequence) with { Rows = total, Free = free, LongestRun = counts.Max(), Kept = total };
    }

    // All that the host knows of a cache, and its remembered queries; the rows follow.
    private KvCache Copy(KvCache cache, bool remembers)
    {
        KvCache fork = new(this, remembers);
        for (int other = 0; other < Options.Sequences; other++)
        {
            fork.Assume(cache, other);
        }

        if (remembers)
        {
            for (int layer = 0; layer < cache.Windows.Length; layer++)
            {
                float[] window = new float[WindowSpec(layer)!.Shape.MaxElements];
                _queue.Download<float>(cache.Windows[layer], window);
                _queue.Synchronize();
                _queue.Upload<float>(window, fork.Windows[layer]);
            }
        }

        return fork;
    }
}
