using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Tensors;

namespace KvIL.Inference.Runtime;

// How many rows each store keeps, and room for those that come.
public sealed partial class Engine
{
    // Rows of each store over its heads that the budget means, before stores are compared.
    private long[] StoreTotals(KvCache cache, int sequence, EvictionPolicy policy)
    {
        int[] rows = RowsOf(policy, cache.Tokens(sequence));
        CheckRows(policy, rows, cache.Tokens(sequence), cache, sequence);
        return Totals(rows);
    }

    private long[] Totals(int[] rows) => [.. rows.Select((r, store) => (long)r * KvHeads(store))];

    private void CheckRows(EvictionPolicy policy, int[] rowsOfStores, int tokens, KvCache cache, int sequence)
    {
        int rows = Evicting(policy).Select(store => rowsOfStores[store]).Append(int.MaxValue).Min();
        int needed = cache.Protected[sequence].Length;
        (int sinks, int window) = policy.Protected(tokens);
        if (needed > 0 && rows < (long)needed + window + sinks && rows < tokens)
        {
            throw new RequestException(
                $"The budget of {rows} rows has no room for {needed} protected positions beside {sinks} first and {window} last ones; "
                + "raise the budget or protect fewer.");
        }

        if (policy.Rerotates && cache.Policies[sequence] is { KeepsEverything: false } before && (before.Heads, before.Layers) != (HeadAllocation.Uniform, LayerAllocation.Uniform))
        {
            throw new RequestException(
                $"{policy.Name} moves rows to consecutive positions, but {before.Name} left heads of different lengths; use one of the two from the start.");
        }
    }

    // Divides the rows of all stores by their scores; returns the scores, and what heads keep where that is decided too; nothing where stores are not compared.
    private (float[]?[] Scores, int[]?[] Counts) Compare(KvCache cache, int sequence, EvictionPolicy policy, long[] totals)
    {
        float[]?[] scores = new float[totals.Length][];
        int[] evicting = Evicting(policy);
        if (!Compares(policy, totals, cache.Tokens(sequence)) || evicting.Sum(store => totals[store]) >= evicting.Sum(store => cache.Rows(store, sequence)))
        {
            return (scores, new int[totals.Length][]);
        }

        float[] preferences = new float[totals.Length];
        foreach (int store in evicting)
        {
            (scores[store], preferences[store]) = ScoreOf(cache, store, sequence, new(policy, totals[store], 0));
        }

        return (scores, Divide(cache, sequence, policy, totals, scores!, preferences));
    }

    // A budget that only the protected rows fill is the same for every store.
    private bool Compares(EvictionPolicy policy, long[] totals, int tokens)
    {
        (int sinks, int window) = policy.Protected(tokens);
        return policy.ComparesStores && Scores(policy) && Evicting(policy).All(store => totals[store] > ((long)sinks + window) * KvHeads(store));
    }

    // Scores of a store for the host, and CAKE's preference where it is asked for.
    private (float[] Scores, float Preference) ScoreOf(KvCache cache, int store, int sequence, Cut cut)
    {
        if (cut.Policy.Accumulates) return (Accumulated(cache, store, sequence, cut), 0);
        (int sinks, int window) = cut.Policy.Protected(cache.At(store, sequence).LongestRun);
        return Score(cache, store, sequence, cut, QueriesAtHand(cache, sequence, cut.Policy, cut), (sinks, window));
    }

    // H2O: the sums that the rows held before, and what they got from the queries since, protected or not.
    private float[] Accumulated(KvCache cache, int store, int sequence, Cut cut)
    {
        KvCache.Occupancy held = cache.At(store, sequence);
        int queries = cut.Prompt is not null ? cut.PromptQueries
            : Math.Min(Math.Min(cache.Tokens(sequence) - held.SummedAt, cache.FreshQueries(sequence)), Options.Window);
        float[] sums = queries == 0 ? new float[KvHeads(store) * held.LongestRun] : Score(cache, store, sequence, cut, queries, (0, 0)).Scores;
        for (int h = 0; h < KvHeads(store); h++)
        {
            Span<float> head = sums.AsSpan(h * held.LongestRun, held.LongestRun);
            ReadOnlySpan<float> before = held.Sums is null ? [] : held.Sums[h];
            for (int j = 0; j < head.Length; j++)
            {
                head[j] = (queries * head[j]) + (j < before.Length ? before[j] : 0); // the op gives the mean over the queries
            }
        }

        return sums;
    }

    // What the kept rows have gathered goes on with them; a choice that sums did not make ends it.
    private static void KeepSums(ref KvCache.Occupancy occupancy, float[]? sums, EvictionExecutable eviction, int stride, int tokens)
    {
        int[][]? rows = sums is null ? null : eviction.Rows((int)occupancy.Rows);
        occupancy.Sums = rows is null ? null : [.. rows.Select((kept, h) => kept.Select(j => sums![(h * stride) + j]).ToArray())];
        occupancy.SummedAt = rows is null ? 0 : tokens;
    }

    private (float[] Scores, float Preference) Score(
        KvCache cache, int store, int sequence, Cut cut, int queries, (int Sinks, int Window) isProtected)
    {
        int longest = cache.At(store, sequence).LongestRun;
        EvictionExecutable eviction = Eviction(Key(cut.Policy, store, Ranking.ScoresOnly, EvictionExtras.None, cut.Prompt is not null));
        eviction.Enqueue(new(cache, store, sequence, longest, 0, isProtected.Sinks, isProtected.Window, 0) { Queries = queries, Prompt = cut.Prompt });
        return (eviction.Scores(longest), cut.Policy.Layers == LayerAllocation.Cake ? eviction.Preference() : 0);
    }

    // Changes the totals; returns the rows of each head where one total is divided over all of them.
    private int[]?[] Divide(KvCache cache, int sequence, EvictionPolicy policy, long[] totals, float[][] scores, float[] preferences)
    {
        int[] evicting = Evicting(policy);
        long total = evicting.Sum(store => totals[store]);
        StoreScores[] stores = [.. evicting.Select(store =>
        {
            int longest = cache.At(store, sequence).LongestRun;
            (int sinks, int window) = policy.Protected(longest);
            return new StoreScores(scores[store], longest, Lengths(cache, store, sequence), sinks, window);
        })];
        int[]?[] counts = new int[totals.Length][];
        if (DividesHeads(policy))
        {
            foreach ((int i, int[] heads) in GlobalBudgets.SplitHeads(stores, total, policy.Heads, policy.Floor).Index())
            {
                (counts[evicting[i]], totals[evicting[i]]) = (heads, heads.Sum(rows => (long)rows));
            }

            return counts;
        }

        if (policy.Layers == LayerAllocation.Global)
        {
            foreach ((int i, long share) in GlobalBudgets.Split(stores, total).Index()) totals[evicting[i]] = share;
            return counts;
        }

        // PrefixKV and CAKE divide rows per head: all heads of a layer keep as many.
        int headsOfAll = KvHeads(evicting[0]);
        if (evicting.Any(store => KvHeads(store) != headsOfAll))
        {
            throw new RequestException($"{policy.Name} divides rows over stores of equally many heads, and this model's differ; use global-snapkv or ada-snapkv.");
        }

        int[] candidates = [.. stores.Select(s => s.Candidates(0).Length)];
        int[] rows = new int[stores.Length];
        long spare = (total - stores.Sum(s => s.ProtectedTotal)) / headsOfAll;
        if (policy.Layers == LayerAllocation.Prefix)
        {
            PrefixBudgets.Maximin([.. stores.Select(s => PrefixBudgets.Weights(s.Candidates(0)))], spare, 0, rows);
        }
        else
        {
            ProportionalBudgets.Split(ProportionalBudgets.Weights([.. evicting.Select(store => (double)preferences[store])]), candidates, spare, rows);
        }

        for (int i = 0; i < rows.Length; i++)
        {
            totals[evicting[i]] = stores[i].ProtectedTotal + ((long)rows[i] * headsOfAll);
        }

        return counts;
    }

    // Remembers the policy, and for each store the count to which it cuts.
    private void SetPolicy(KvCache cache, int sequence, EvictionPolicy policy, long[] totals, int reserve)
    {
        cache.Policies[sequence] = policy;
        for (int store = 0; store < totals.Length; store++)
        {
            ref KvCache.Occupancy occupancy = ref cache.At(store, sequence);
            occupancy.Kept = Math.Max(
                KeptRows(policy, totals[store], (long)cache.Tokens(sequence) * KvHeads(store), KvHeads(store)),
                (long)cache.Protected[sequence].Length * KvHeads(store));
            occupancy.Slack = FreeRows(PolicyOf(store, policy), reserve);
        }
    }

    // After rows moved to consecutive positions the next token stands right behind them.
    private void Renumber(KvCache cache, int sequence, EvictionPolicy policy)
    {
        long rows = cache.Rows(0, sequence) / KvHeads(0);
        if (policy.Rerotates && rows < cache.Position(sequence))
        {
            cache.MoveTo(sequence, (int)rows);
        }
    }

    /// <summary>Free rows of each head of a store that holds <paramref name="rows"/> of a prompt: what follows, as far as the policy lets it stay.</summary>
    internal static int Room(EvictionPolicy policy, int rows, int tokens, int reserve) =>
        Room(policy, KeptRows(policy, rows, tokens, 1), rows, rows < tokens, reserve, 1);

    // The same, from rows over all heads.
    private static int Room(EvictionPolicy policy, long kept, long total, bool evicts, int reserve, int heads)
    {
        if (policy.KeepsEverything)
        {
            return reserve;
        }

        int free = FreeRows(policy, reserve);
        return evicts ? free : (int)Math.Min(reserve, ((kept - total) / heads) + free);
    }

    // A store that holds the whole prompt may still grow, up to a budget given in rows and up to the window.
    private static long KeptRows(EvictionPolicy policy, long total, long all, int heads) =>
        total < all ? total : Math.Max(total, (long)Math.Max(policy.Budget.Rows ?? 0, policy.Window) * heads);

    private static int FreeRows(EvictionPolicy policy, int reserve) => Math.Max(1, Math.Min(policy.Slack, reserve));

    // Makes every head of the passing sequences able to take its tokens: evicts again where a policy says so, else enlarges.
    private void MakeRoom(KvCache cache, ReadOnlySpan<int> sequences)
    {
        for (int first = 0; first < sequences.Length;)
        {
            int end = EndOfRun(sequences, first);
            int sequence = sequences[first];
            EvictionPolicy policy = cache.Policies[sequence];
            for (int store = 0; store < Model.Transformer.Map.NumStores; store++)
            {
                ref KvCache.Occupancy occupancy = ref cache.At(store, sequence);
                EvictionPolicy own = PolicyOf(store, policy);
                long kept = KeptOf(cache, store, sequence);
                if (occupancy.Free < end - first && !own.KeepsEverything && occupancy.Rows > kept)
                {
                    Compact(cache, cache, store, sequence, new(own, kept, Math.Max(Math.Max(occupancy.Slack, own.Slack), end - first)));
                }

                Reserve(cache, store, sequence, end - first);
            }

            Renumber(cache, sequence, policy);
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
            int most = PolicyOf(store, cache.Policies[sequence]).KeepsEverything ? cache.Tokens(sequence) / 2 : occupancy.Slack;
            int room = Math.Max(rows, Math.Min(most, Options.MaxTokens - cache.Position(sequence)));
            Compact(cache, cache, store, sequence, new(EvictionPolicy.Full, occupancy.Rows, room));
        }
    }

    /// <summary>Fills every sequence of an empty cache with made-up rows of small values, as if it had seen <paramref name="tokens"/> tokens: to measure what follows.</summary>
    internal void Fill(KvCache cache, int tokens)
    {
        for (int store = 0; store < Model.Transformer.Map.NumStores; store++)
        {
            for (int sequence = 0; sequence < Options.Sequences; sequence++)
            {
                cache.At(store, sequence).Free = Options.MaxTokens;
            }

            Reserve(cache, store, 0, Options.MaxTokens);
            StoreSpec spec = StoreSpec(store);
            int[] positions = [.. Enumerable.Range(0, spec.Runs).SelectMany(_ => Enumerable.Range(0, Options.MaxTokens))];
            int[] lengths = [.. Enumerable.Repeat(tokens, spec.Runs)];
            byte[] rows = new byte[Options.MaxTokens * spec.RowType.SizeBytes(spec.HeadDim)];
            Array.Fill(rows, (byte)0x24); // 0.0162 in F16, 3.6e-17 in F32
            _queue.Upload<int>(positions, cache.Store(store).Positions);
            _queue.Upload<int>(lengths, cache.Store(store).Lengths);
            for (int run = 0; run < spec.Runs; run++)
            {
                _queue.Upload<byte>(rows, cache.Store(store).Keys.Rows(run * Options.MaxTokens, Options.MaxTokens));
                _queue.Upload<byte>(rows, cache.Store(store).Values.Rows(run * Options.MaxTokens, Options.MaxTokens));
            }

            _queue.Synchronize();
            for (int sequence = 0; sequence < Options.Sequences; sequence++)
            {
                cache.AddRows(store, sequence, tokens);
            }
        }

        for (int sequence = 0; sequence < Options.Sequences; sequence++)
        {
            cache.AddTokens(sequence, tokens);
        }
    }

    private void AllocateEmpty(KvCache cache, int store)
    {
        int runs = StoreSpec(store).Runs;
        long[] starts = new long[runs];
        int[] capacities = new int[runs];
        long rows = 0;
        for (int run = 0; run < runs; run++)
        {
            starts[run] = rows;
            capacities[run] = cache.At(store, run / KvHeads(store)).Free;
            rows += capacities[run];
        }

        IStore fresh = Model.Backend.Allocate(StoreSpec(store) with { Rows = rows });
        _queue.Upload<long>(starts, fresh.Starts);
        _queue.Upload<int>(capacities, fresh.Capacities);
        cache.Replace(store, fresh);
    }
}
