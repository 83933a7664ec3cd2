using System.Collections.Immutable;
using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Models;
using KvIL.Plans;

namespace KvIL.Inference.Runtime;

public sealed partial class Engine
{
    private readonly Dictionary<EvictionKey, EvictionExecutable> _evictions = [];
    private readonly List<EvictionTrace> _traces = [];

    /// <summary>What the last <see cref="Prefill"/>, <see cref="Evict"/> or <see cref="Fork"/> decided, by store; empty unless the engine traces.</summary>
    public IReadOnlyList<EvictionTrace> Traces => _traces;

    /// <summary>Cuts a sequence to the rows of a policy's budget, in place of the rows it has; later passes keep that count.</summary>
    /// <param name="cache">A cache of this engine.</param>
    /// <param name="sequence">The sequence, all of its prompt seen.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="reserve">Tokens that will follow, as far as known: free rows are not kept for more.</param>
    /// <returns>Loss and bounds per layer, where the engine measures them and something was evicted.</returns>
    /// <exception cref="RequestException">The policy reads more queries than this engine remembers, or the backend cannot run it.</exception>
    public IReadOnlyList<EvictionCost> Evict(KvCache cache, int sequence, EvictionPolicy policy, int reserve = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(policy);
        RequireQueries(policy, cache, sequence);
        _traces.Clear();
        long[] totals = StoreTotals(cache, sequence, policy);
        (float[]?[] scores, int[]?[] counts) = Compare(cache, sequence, policy, totals);
        SetPolicy(cache, sequence, policy, totals, reserve);
        List<EvictionCost> costs = [];
        for (int store = 0; store < totals.Length; store++)
        {
            if (totals[store] < cache.Rows(store, sequence))
            {
                costs.AddRange(Compact(cache, cache, store, sequence, FirstCut(store, policy, totals[store], reserve) with { Scores = scores[store], Counts = counts[store] }));
            }
        }

        Renumber(cache, sequence, policy);
        return costs;
    }

    /// <summary>A new cache that holds what a policy keeps of a sequence; the given one stays as it is.</summary>
    /// <remarks>Other sequences are copied whole. Remembered queries are copied, so that the fork can be evicted again.</remarks>
    /// <param name="cache">A cache of this engine.</param>
    /// <param name="sequence">The sequence, all of its prompt seen.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="reserve">Tokens that will follow, as far as known: free rows are not kept for more.</param>
    /// <param name="cost">Loss and bounds per layer, where the engine measures them and something was evicted.</param>
    /// <param name="rows">Rows per KV head of each store in place of those that the policy's budget means; for published roundings.</param>
    /// <param name="remembers">Whether the fork remembers queries; one that does not is cheaper, and cannot be evicted by attention again.</param>
    /// <param name="given">What <see cref="RowScores"/> gave for this score, so that it is not computed again; null computes it.</param>
    /// <exception cref="RequestException">The policy reads more queries than are remembered, or the backend cannot run it.</exception>
    public KvCache Fork(
        KvCache cache, int sequence, EvictionPolicy policy, int reserve, out IReadOnlyList<EvictionCost> cost, IReadOnlyList<int>? rows = null,
        bool remembers = true, IReadOnlyList<float[]>? given = null)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(policy);
        RequireQueries(policy, cache, sequence);
        _traces.Clear();
        reserve = Math.Min(reserve, Options.MaxTokens - cache.Position(sequence));
        long[] totals = rows is null ? StoreTotals(cache, sequence, policy)
            : [.. rows.Select((r, store) => Math.Min((long)r * KvHeads(store), cache.Rows(store, sequence)))];
        (float[]?[] scores, int[]?[] counts) = given is null ? Compare(cache, sequence, policy, totals) : ([.. given], new int[totals.Length][]);
        KvCache fork = Copy(cache, remembers && cache.Remembers);
        SetPolicy(fork, sequence, policy, totals, reserve);
        List<EvictionCost> costs = [];
        for (int store = 0; store < totals.Length; store++)
        {
            bool evicts = totals[store] < cache.Rows(store, sequence);
            Cut cut = FirstCut(store, policy, totals[store], reserve);
            int room = Room(cut.Policy, fork.At(store, sequence).Kept, totals[store], evicts, reserve, KvHeads(store));
            costs.AddRange(Compact(cache, fork, store, sequence, cut with { Free = room, Scores = scores[store], Counts = counts[store], IsFirst = cut.IsFirst && evicts }));
        }

        Renumber(fork, sequence, policy);
        cost = costs;
        return fork;
    }

    /// <summary>The plan by which a policy evicts a store; null for one that keeps everything.</summary>
    /// <exception cref="RequestException">The policy scores by more queries than this engine remembers.</exception>
    public Plan? EvictionPlan(EvictionPolicy policy, int store = 0)
    {
        ArgumentNullException.ThrowIfNull(policy);
        bool wholePrompt = policy.NeedsAllQueries && Options.RemembersPrompt;
        if (!wholePrompt)
        {
            RequireQueries(policy, Options.MaxTokens);
        }

        return policy.KeepsEverything ? null : Eviction(Key(policy, store, RankingOf(policy), FirstExtras | CountsOf(policy, RankingOf(policy)), wholePrompt)).Plan;
    }

    /// <summary>Positions that every later eviction of a sequence keeps, whatever their scores; they count in the budget.</summary>
    /// <param name="cache">A cache of this engine.</param>
    /// <param name="sequence">The sequence.</param>
    /// <param name="positions">Positions, any order; none takes the protection back.</param>
    public void Protect(KvCache cache, int sequence, IEnumerable<int> positions)
    {
        ArgumentNullException.ThrowIfNull(cache);
        cache.Protected[sequence] = [.. positions.Where(p => p >= 0).Distinct().Order()];
    }

    /// <summary>Bytes that evicting by a policy takes: scratch of the largest of its plans, and all figures that it measures.</summary>
    internal (long Scratch, long Figures) EvictionBytes(EvictionPolicy policy)
    {
        bool wholePrompt = policy.NeedsAllQueries && Options.RemembersPrompt;
        for (int store = 0; store < Model.Transformer.Map.NumStores; store++)
        {
            if (IsRing(store, policy))
            {
                Eviction(Key(policy, store, Ranking.Recency, EvictionExtras.None, wholePrompt: false));
                continue;
            }

            foreach (EvictionExtras extras in (ReadOnlySpan<EvictionExtras>)[EvictionExtras.None, FirstExtras])
            {
                Eviction(Key(policy, store, Ranking.Recency, extras, wholePrompt: false)); // what is cut by recency, and what is laid out anew
                Eviction(Key(policy, store, RankingOf(policy), extras | CountsOf(policy, RankingOf(policy)), wholePrompt));
            }

            if (policy.ComparesStores || policy.Accumulates)
            {
                EvictionExtras sums = (policy.Accumulates ? EvictionExtras.Trace : EvictionExtras.None) | CountsOf(policy, Ranking.GivenScores);
                foreach (bool whole in (ReadOnlySpan<bool>)[wholePrompt, false])
                {
                    Eviction(Key(policy, store, Ranking.ScoresOnly, EvictionExtras.None, whole));
                    Eviction(Key(policy, store, Ranking.GivenScores, FirstExtras | sums, whole));
                    Eviction(Key(policy, store, Ranking.GivenScores, sums, whole));
                    if (DividesHeads(policy)) Eviction(Key(policy, store, Ranking.GivenScores, FirstExtras | EvictionExtras.GivenCounts, whole));
                }
            }
        }

        return (_evictions.Values.Max(eviction => eviction.ScratchBytes), _evictions.Values.Sum(eviction => eviction.ResultBytes));
    }

    private EvictionExtras FirstExtras =>
        (Options.MeasureLoss ? EvictionExtras.Measure : EvictionExtras.None) | (Options.Trace ? EvictionExtras.Trace : EvictionExtras.None);

    // A window of the whole run never scores: until then everything is kept.
    private bool Scores(EvictionPolicy policy) => policy.UsesScores && policy.Window < Options.MaxTokens;

    private Ranking RankingOf(EvictionPolicy policy) => Scores(policy) ? Ranking.Scores : Ranking.Recency;

    private void RequireQueries(EvictionPolicy policy, KvCache cache, int sequence)
    {
        if (!cache.Remembers && Scores(policy) && policy.Queries(Options.MaxTokens) > 0)
        {
            throw new RequestException($"{policy.Name} scores by queries, but this fork was made to remember none; evict the cache it was made from.");
        }

        RequireQueries(policy, cache.Tokens(sequence));
    }

    private void RequireQueries(EvictionPolicy policy, int tokens)
    {
        int needed = !Scores(policy) ? 0 : policy.NeedsAllQueries ? tokens : policy.Queries(Options.MaxTokens);
        if (needed > Options.Window)
        {
            throw new RequestException(
                $"{policy.Name} scores by {needed} queries, but this run remembers {Options.Window}; give the policy when the run starts.");
        }
    }

    // What is measured and traced, unless it only drops what nobody sees.
    private Cut FirstCut(int store, EvictionPolicy policy, long total, int reserve) =>
        new(PolicyOf(store, policy), total, FreeRows(PolicyOf(store, policy), reserve)) { IsFirst = !IsRing(store, policy) };

    // One store, one sequence: what `from` holds, cut to a total, becomes the store of `to`.
    private IReadOnlyList<EvictionCost> Compact(KvCache from, KvCache to, int store, int sequence, Cut cut)
    {
        KvCache.Occupancy before = from.At(store, sequence);
        EvictionPolicy policy = cut.Policy;
        int heads = KvHeads(store);
        long total = Math.Min(cut.Total, before.Rows);
        int perHead = (int)(total / heads);
        (int sinks, int window) = policy.Protected(before.LongestRun);
        bool byScore = policy.UsesScores && total > (long)(window + sinks) * heads && from.Tokens(sequence) > window && total < before.Rows
            && (cut.Prompt is not null || cut.Scores is not null || policy.Queries(int.MaxValue) == 0 || Options.Window > 0)
            && from.FreshQueries(sequence) >= (policy.NeedsAllQueries ? 1 : policy.Queries(int.MaxValue));
        ImmutableArray<int> kept = ReferenceEquals(policy, _rings[store]) ? [] : to.Protected[sequence];
        int open = Math.Max(0, perHead - kept.Length); // what a user protects comes first
        window = Math.Min(window, open);
        sinks = Math.Min(byScore ? sinks : policy.Sinks, open - window);
        if (byScore && policy.Accumulates && cut.Scores is null)
        {
            cut = cut with { Scores = Accumulated(from, store, sequence, cut) };
        }

        Ranking ranking = !byScore ? Ranking.Recency : cut.Scores is null ? Ranking.Scores : Ranking.GivenScores;
        EvictionExtras extras = ExtrasOf(cut, ranking, total < before.Rows, !kept.IsEmpty);
        EvictionExecutable eviction = Eviction(Key(policy, store, ranking, extras, cut.Prompt is not null));
        IStore fresh = Model.Backend.Allocate(StoreSpec(store) with { Rows = to.PoolRows(store, sequence, total + ((long)cut.Free * heads)) });
        try
        {
            eviction.Enqueue(new(from, store, sequence, before.LongestRun, (int)total, sinks, window, cut.Free)
            {
                Fresh = fresh,
                Queries = QueriesAtHand(from, sequence, policy, cut),
                Prompt = cut.Prompt,
                Scores = ranking == Ranking.GivenScores ? cut.Scores : null,
                Counts = cut.Counts ?? TableCounts(from, store, sequence, policy, ranking, (Math.Min(perHead, sinks + window + kept.Length), total)),
                Protected = extras.HasFlag(EvictionExtras.Protect) ? kept : [],
            });
            if (cut.IsFirst && Options.Trace)
            {
                _traces.Add(Trace(eviction, from, store, sequence, (int)total, (sinks, window, byScore)));
            }
        }
        catch
        {
            fresh.Dispose();
            throw;
        }

        to.Replace(store, fresh);
        // Heads that are cut alike are equally long; of others one may have what the rest gave up.
        int longest = policy.Rerotates ? (int)(total / heads) : (int)Math.Min(before.LongestRun, total);
        to.At(store, sequence) = to.At(store, sequence) with { Rows = total, Free = cut.Free, LongestRun = longest };
        if (total < before.Rows)
        {
            KeepSums(ref to.At(store, sequence), policy.Accumulates ? cut.Scores : null, eviction, before.LongestRun, from.Tokens(sequence));
        }

        return extras.HasFlag(EvictionExtras.Measure) ? eviction.Costs() : [];
    }

    // What goes with a cut: sums follow their rows, and what a table gives is an input.
    private EvictionExtras ExtrasOf(Cut cut, Ranking ranking, bool drops, bool protects) =>
        (cut.IsFirst ? FirstExtras : EvictionExtras.None)
        | (cut.Policy.Rerotates && drops ? EvictionExtras.Rerotate : EvictionExtras.None)
        | (protects && drops ? EvictionExtras.Protect : EvictionExtras.None)
        | (cut.Policy.Accumulates && ranking == Ranking.GivenScores ? EvictionExtras.Trace : EvictionExtras.None)
        | (cut.Counts is null ? CountsOf(cut.Policy, ranking) : EvictionExtras.GivenCounts);

    // Those that the policy reads, as far as they are remembered.
    private int QueriesAtHand(KvCache cache, int sequence, EvictionPolicy policy, Cut cut) =>
        cut.Prompt is not null ? cut.PromptQueries
            : Math.Min(Math.Min(policy.Queries(cache.Position(sequence)), cache.FreshQueries(sequence)), Options.Window);

    private EvictionTrace Trace(EvictionExecutable eviction, KvCache from, int store, int sequence, int total, (int Sinks, int Window, bool ByScore) how)
    {
        int heads = KvHeads(store);
        int stride = from.At(store, sequence).LongestRun;
        int[] lengths = Lengths(from, store, sequence);
        float[][] scores = Split(eviction.Scores(stride));
        return new(
            store,
            Model.Transformer.Map.Readers(store),
            how.Sinks,
            how.Window,
            how.ByScore,
            scores,
            [.. Enumerable.Range(0, heads).Select(h => Positions(from, store, (sequence * heads) + h, lengths[h]))],
            eviction.Rows(total)) { Compared = eviction.Compared(stride) is float[] compared ? Split(compared) : scores };

        float[][] Split(float[] all) => [.. lengths.Select((n, h) => all.AsSpan(h * stride, n).ToArray())];
    }

    private int[] Lengths(KvCache cache, int store, int sequence)
    {
        int[] lengths = new int[StoreSpec(store).Runs];
        _queue.Download<int>(cache.Store(store).Lengths, lengths);
        _queue.Synchronize();
        return lengths[(sequence * KvHeads(store))..((sequence + 1) * KvHeads(store))];
    }

    private int[] Positions(KvCache cache, int store, int run, int count)
    {
        long[] starts = new long[StoreSpec(store).Runs];
        int[] positions = new int[count];
        _queue.Download<long>(cache.Store(store).Starts, starts);
        _queue.Synchronize();
        if (count == 0) return positions;
        _queue.Download<int>(cache.Store(store).Positions.Rows(checked((int)starts[run]), count), positions);
        _queue.Synchronize();
        return positions;
    }

    // A plan that does not read the policy is shared by all policies.
    private static EvictionKey Key(EvictionPolicy policy, int store, Ranking ranking, EvictionExtras extras, bool wholePrompt) => new(
        ranking == Ranking.Recency ? null : policy.WithoutBudget(), store, ranking, extras, wholePrompt && ranking != Ranking.Recency);

    private EvictionExecutable Eviction(EvictionKey key)
    {
        if (!_evictions.TryGetValue(key, out EvictionExecutable? eviction))
        {
            eviction = new(this, key);
            _evictions.Add(key, eviction);
        }

        return eviction;
    }

    /// <summary>How one store is cut.</summary>
    /// <param name="Policy">The policy; <c>full</c> lays the rows out anew.</param>
    /// <param name="Total">Rows over all heads.</param>
    /// <param name="Free">Free rows after each head's.</param>
    private readonly record struct Cut(EvictionPolicy Policy, long Total, int Free)
    {
        /// <summary>Whether this is the eviction that is measured and traced, not one in passing.</summary>
        public bool IsFirst { get; init; }

        /// <summary>All queries of the prompt, by layer; null for those that the cache remembers.</summary>
        public IReadOnlyList<IBuffer>? Prompt { get; init; }

        /// <summary>How many they are.</summary>
        public int PromptQueries { get; init; }

        /// <summary>Scores that the host has; null for none.</summary>
        public float[]? Scores { get; init; }

        /// <summary>Rows of each head that the host has decided; null for none.</summary>
        public int[]? Counts { get; init; }
    }
}
