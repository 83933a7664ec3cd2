using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Plans;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Inference.Runtime;

public sealed partial class Engine
{
    private readonly Dictionary<(string Policy, int Store), EvictionExecutable> _evictions = [];

    /// <summary>Cuts a sequence to the rows of a policy's budget, in place of the rows it has; later passes keep that count.</summary>
    /// <param name="cache">A cache of this engine.</param>
    /// <param name="sequence">The sequence, all of its prompt seen.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="reserve">Tokens that will follow, as far as known: free rows are not kept for more.</param>
    /// <returns>Loss and bounds per layer, where the engine measures them and something was evicted.</returns>
    public IReadOnlyList<EvictionCost> Evict(KvCache cache, int sequence, EvictionPolicy policy, int reserve = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(cache);
        SharingMap map = Model.Transformer.Map;
        int[] rows = SetPolicy(cache, sequence, policy, reserve);
        List<EvictionCost> costs = [];
        for (int store = 0; store < map.NumStores; store++)
        {
            if (rows[store] < cache.Tokens(sequence))
            {
                costs.AddRange(Compact(cache, cache, store, sequence, policy, rows[store], FreeRows(policy, reserve), measure: Options.MeasureLoss));
            }
        }

        return costs;
    }

    /// <summary>A new cache that holds what a policy keeps of a sequence; the given one stays as it is.</summary>
    /// <remarks>Other sequences are copied whole. Remembered queries are copied, so that the fork can be evicted again.</remarks>
    /// <param name="cache">A cache of this engine.</param>
    /// <param name="sequence">The sequence, all of its prompt seen.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="reserve">Tokens that will follow, as far as known: free rows are not kept for more.</param>
    /// <param name="cost">Loss and bounds per layer, where the engine measures them and something was evicted.</param>
    public KvCache Fork(KvCache cache, int sequence, EvictionPolicy policy, int reserve, out IReadOnlyList<EvictionCost> cost)
    {
        ArgumentNullException.ThrowIfNull(cache);
        reserve = Math.Min(reserve, Options.MaxTokens - cache.Tokens(sequence));
        KvCache fork = CreateCache();
        for (int other = 0; other < Options.Sequences; other++)
        {
            fork.SetTokens(other, cache.Tokens(other));
            fork.Policies[other] = cache.Policies[other];
        }

        CopyWindows(cache, fork);
        int[] rows = SetPolicy(fork, sequence, policy, reserve);
        List<EvictionCost> costs = [];
        for (int store = 0; store < rows.Length; store++)
        {
            KvCache.Occupancy chosen = fork.At(store, sequence);
            for (int other = 0; other < Options.Sequences; other++)
            {
                fork.At(store, other) = cache.At(store, other);
            }

            fork.At(store, sequence).Kept = chosen.Kept;
            fork.At(store, sequence).Slack = chosen.Slack;
            bool evicts = rows[store] < cache.Tokens(sequence);
            int room = Room(policy, rows[store], cache.Tokens(sequence), reserve);
            costs.AddRange(Compact(cache, fork, store, sequence, policy, rows[store], room, evicts && Options.MeasureLoss));
        }

        cost = costs;
        return fork;
    }

    /// <summary>The plan by which a policy evicts a store; null for one that keeps everything.</summary>
    /// <exception cref="RequestException">The policy scores by more queries than this engine remembers.</exception>
    public Plan? EvictionPlan(EvictionPolicy policy, int store = 0)
    {
        ArgumentNullException.ThrowIfNull(policy);
        RequireWindow(policy);
        return policy.KeepsEverything ? null : Eviction(Scores(policy) ? policy : EvictionPolicy.Full, store, Options.MeasureLoss).Plan;
    }

    // Remembers the policy, and for each store the count to which it cuts.
    private int[] SetPolicy(KvCache cache, int sequence, EvictionPolicy policy, int reserve)
    {
        ArgumentNullException.ThrowIfNull(policy);
        RequireWindow(policy);
        int[] rows = StoreRows.Of(policy, cache.Tokens(sequence), Model.Transformer.Map.NumStores);
        cache.Policies[sequence] = policy;
        for (int store = 0; store < rows.Length; store++)
        {
            ref KvCache.Occupancy occupancy = ref cache.At(store, sequence);
            occupancy.Kept = KeptRows(policy, rows[store], cache.Tokens(sequence));
            occupancy.Slack = FreeRows(policy, reserve);
        }

        return rows;
    }

    // A window of the whole run never scores: until then everything is kept.
    private bool Scores(EvictionPolicy policy) => policy.UsesScores && policy.Window < Options.MaxTokens;

    private void RequireWindow(EvictionPolicy policy)
    {
        if (Scores(policy) && policy.Window > Options.Window)
        {
            throw new RequestException(
                $"{policy.Name} scores by {policy.Window} queries, but this run remembers {Options.Window}; give the policy when the run starts.");
        }
    }

    /// <summary>Free rows of each head of a store that holds <paramref name="rows"/> of a prompt: what follows, as far as the policy lets it stay.</summary>
    internal static int Room(EvictionPolicy policy, int rows, int tokens, int reserve)
    {
        if (policy.KeepsEverything)
        {
            return reserve;
        }

        int free = FreeRows(policy, reserve);
        return rows < tokens ? free : (int)Math.Min(reserve, (long)KeptRows(policy, rows, tokens) - rows + free);
    }

    // A store that holds the whole prompt may still grow, up to a budget given in rows and up to the window.
    private static int KeptRows(EvictionPolicy policy, int rows, int tokens) =>
        rows < tokens ? rows : Math.Max(rows, Math.Max(policy.Budget.Rows ?? 0, policy.Window));

    private static int FreeRows(EvictionPolicy policy, int reserve) => Math.Max(1, Math.Min(policy.Slack, reserve));

    // Makes every head of the passing sequences able to take its tokens: evicts again where a policy says so, else enlarges.
    private void MakeRoom(KvCache cache, ReadOnlySpan<int> sequences)
    {
        for (int first = 0; first < sequences.Length;)
        {
            int end = EndOfRun(sequences, first);
            int sequence = sequences[first];
            for (int store = 0; store < Model.Transformer.Map.NumStores; store++)
            {
                ref KvCache.Occupancy occupancy = ref cache.At(store, sequence);
                EvictionPolicy policy = cache.Policies[sequence];
                if (occupancy.Free < end - first && !policy.KeepsEverything && occupancy.Rows > (long)occupancy.Kept * StoreSpec.NumKvHeads)
                {
                    Compact(cache, cache, store, sequence, policy, occupancy.Kept, Math.Max(occupancy.Slack, end - first), measure: false);
                }

                Reserve(cache, store, sequence, end - first);
            }

            first = end;
        }
    }

    /// <summary>Makes every head of a sequence able to take <paramref name="rows"/> more rows.</summary>
    internal void Reserve(KvCache cache, int store, int sequence, int rows)
    {
        ref KvCache.Occupancy occupancy = ref cache.At(store, sequence);
        if (cache.IsAllocated(store) && occupancy.Free >= rows)
        {
            return;
        }

        if (cache.IsEmpty(store))
        {
            occupancy.Free = rows;
            AllocateEmpty(cache, store);
        }
        else
        {
            // Enlarging copies everything, so it takes more than it needs, up to what the run allows.
            int most = cache.Policies[sequence].KeepsEverything ? cache.Tokens(sequence) / 2 : occupancy.Slack;
            int room = Math.Max(rows, Math.Min(most, Options.MaxTokens - cache.Tokens(sequence)));
            int all = (int)((occupancy.Rows + StoreSpec.NumKvHeads - 1) / StoreSpec.NumKvHeads);
            Compact(cache, cache, store, sequence, EvictionPolicy.Full, all, room, measure: false);
        }
    }

    private void AllocateEmpty(KvCache cache, int store)
    {
        int runs = StoreSpec.Runs;
        long[] starts = new long[runs];
        int[] capacities = new int[runs];
        long rows = 0;
        for (int run = 0; run < runs; run++)
        {
            starts[run] = rows;
            capacities[run] = cache.At(store, run / StoreSpec.NumKvHeads).Free;
            rows += capacities[run];
        }

        IStore fresh = Model.Backend.Allocate(StoreSpec with { Rows = rows });
        _queue.Upload<long>(starts, fresh.Starts);
        _queue.Upload<int>(capacities, fresh.Capacities);
        cache.Replace(store, fresh);
    }

    // One store, one sequence: what `from` holds, cut to `rows` per head on average, becomes the store of `to`.
    private IReadOnlyList<EvictionCost> Compact(
        KvCache from, KvCache to, int store, int sequence, EvictionPolicy policy, int rows, int free, bool measure)
    {
        KvCache.Occupancy before = from.At(store, sequence);
        long total = Math.Min((long)rows * StoreSpec.NumKvHeads, before.Rows);
        bool byScore = policy.UsesScores && rows > policy.Window && from.Tokens(sequence) > policy.Window && total < before.Rows;
        EvictionExecutable eviction = Eviction(byScore ? policy : EvictionPolicy.Full, store, measure);
        int window = byScore ? policy.Window : Math.Min(policy.Window, rows);
        int sinks = Math.Min(policy.Sinks, rows - window);

        IStore fresh = Model.Backend.Allocate(StoreSpec with { Rows = to.PoolRows(store, sequence, total + ((long)free * StoreSpec.NumKvHeads)) });
        try
        {
            eviction.Enqueue(new EvictionArguments(from, store, sequence, fresh, before.LongestRun, (int)total, sinks, window, free));
        }
        catch
        {
            fresh.Dispose();
            throw;
        }

        to.Replace(store, fresh);
        int longest = (int)Math.Min(before.LongestRun, total); // the other heads may have given up all of theirs
        to.At(store, sequence) = to.At(store, sequence) with { Rows = total, Free = free, LongestRun = longest };
        return measure ? eviction.Costs() : [];
    }

    private EvictionExecutable Eviction(EvictionPolicy policy, int store, bool measure)
    {
        string key = policy.UsesScores ? policy.WithBudget(Budget.Default).ToString() : "recency";
        if (!_evictions.TryGetValue((measure ? key + " measured" : key, store), out EvictionExecutable? eviction))
        {
            eviction = new(this, policy, store, measure);
            _evictions.Add((measure ? key + " measured" : key, store), eviction);
        }

        return eviction;
    }

    /// <summary>Bytes that evicting by a policy takes: scratch of the largest of its plans, and all figures that it measures.</summary>
    internal (long Scratch, long Figures) EvictionBytes(EvictionPolicy policy)
    {
        for (int store = 0; store < Model.Transformer.Map.NumStores; store++)
        {
            foreach (bool measure in (ReadOnlySpan<bool>)[false, Options.MeasureLoss])
            {
                Eviction(EvictionPolicy.Full, store, measure); // what is cut by recency, and what is laid out anew
                Eviction(Scores(policy) ? policy : EvictionPolicy.Full, store, measure);
            }
        }

        return (_evictions.Values.Max(eviction => eviction.ScratchBytes), _evictions.Values.Sum(eviction => eviction.ResultBytes));
    }

    private void CopyWindows(KvCache from, KvCache to)
    {
        if (WindowSpec is null)
        {
            return;
        }

        float[] window = new float[WindowSpec.Shape.MaxElements];
        for (int layer = 0; layer < from.Windows.Length; layer++)
        {
            _queue.Download<float>(from.Windows[layer], window);
            _queue.Synchronize();
            _queue.Upload<float>(window, to.Windows[layer]);
        }
    }
}
