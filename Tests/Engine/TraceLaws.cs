using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Inference.Runtime;
using KvIL.Tensors;
using Xunit;
using Law = KvIL.Tests.Eviction.Law;

namespace KvIL.Tests.Engines;

/// <summary>Every policy on an engine: what the trace says was decided follows from its scores by the definitions, and is what the cache holds.</summary>
public sealed class TraceLaws(EngineFixture fixture) : IClassFixture<EngineFixture>
{
    private static readonly string[] Policies =
    [
        "sliding:sinks=2", "snapkv:window=3,kernel=3", "ada-snapkv:window=4,kernel=5,alloc=pure", "ada-snapkv:window=4,mass=kept,alloc=pure",
        "ada-snapkv:window=3,weights=head", "ada-pyramid:window=3,alloc=floor,beta=3", "ada-snapkv:window=5,alloc=mask,floor=0.4",
        "global-snapkv:window=3,kernel=3", "global-h2o:window=2", "global-knorm", "global-expected:sinks=2", "prefixkv", "cake:window=4",
        "h2o:window=3", "ada-h2o:window=3", "observed", "tova", "ada-tova", "knorm", "ada-knorm:alloc=floor", "keydiff", "expected:future=16",
        "ada-expected:epsilon=0.02", "lagkv:lag=4,sinks=2", "finch:window=4", "curdkv:local=3", "noncausal:chunk=8", "leverage", "capkv",
        "keydiff:pieces=5", "curdkv:blocks=4", "leverage:pieces=7,sinks=2", "leverage:blocks=3", "keydiff:blocks=5,heads=*", "knorm:pieces=4,window=2",
        "qfilter", "random:seed=3", "criticalkv:window=3", "snapkv:window=3,heads=*", "h2o:window=2,heads=*", "criticalkv:window=3,heads=*", "knorm:heads=*,sinks=1", "ada-criticalkv:window=3,alloc=mask", "chunkkv:window=3,chunk=3",
    ];

    [Fact]
    public void What_is_kept_follows_from_the_scores() => Law.ForAll(EvictionCase.Cases, c => Holds(c with { Map = "0 1 2 3" }), maxTest: 120);

    [Fact]
    public void A_shared_store_too() => Law.ForAll(EvictionCase.Cases, c => Holds(c), maxTest: 60);

    [Fact]
    public void A_prompt_layer_by_layer_shows_its_scores_what_a_whole_cache_does() => Law.ForAll(EvictionCase.Cases, c =>
    {
        EvictionPolicy policy = Policy(c);
        using Session session = fixture.Open(c.Model, Options(c) with { RemembersPrompt = true }, c.Sharing);
        Engine engine = session.Engine;
        using KvCache layered = engine.CreateCache(), whole = engine.CreateCache();
        engine.Prefill(layered, 0, c.Prompt, policy);
        engine.Prefill(whole, 0, c.Prompt, EvictionPolicy.Full);
        engine.Evict(whole, 0, policy);
        Assert.Equal(whole.Position(0), layered.Position(0));
        Assert.All(CacheRows.Of(engine, layered, 0).Zip(CacheRows.Of(engine, whole, 0)), store =>
            Assert.All(store.First.Zip(store.Second), run => Assert.True(run.First.SameBits(run.Second))));
    }, maxTest: 120);

    [Fact]
    public void Every_policy_keeps_its_total_through_decoding() => Law.ForAll(EvictionCase.Cases, c =>
    {
        EvictionPolicy policy = Policy(c);
        using Session session = fixture.Open(c.Model, Options(c) with { Window = policy.NeedsAllQueries ? 6 : 9, RemembersPrompt = true }, c.Sharing);
        Engine engine = session.Engine;
        using KvCache cache = engine.CreateCache();
        engine.Prefill(cache, 0, c.Prompt, policy, reserve: c.Next);
        long[] kept = [.. Enumerable.Range(0, c.Sharing.NumStores).Select(store => cache.At(store, 0).Kept)];
        int slack = Math.Max(1, Math.Min(policy.Slack, c.Next));
        foreach (int id in c.Following)
        {
            engine.Forward(cache, [0], [id], [0]);
            for (int store = 0; store < kept.Length; store++)
            {
                RunRows[] runs = CacheRows.Of(engine, cache, store, 0);
                Assert.Equal(cache.Rows(store, 0), runs.Sum(run => (long)run.Length));
                Assert.InRange(runs.Sum(run => (long)run.Length), 1, kept[store] + ((long)slack * runs.Length));
                Assert.All(runs, run => Assert.Equal(run.Positions.Order().Distinct(), run.Positions));
            }
        }

        Assert.Equal(c.Tokens + c.Next, cache.Tokens(0));
    }, maxTest: 150);

    // One policy a seed, at the case's budget and slack.
    private static EvictionPolicy Policy(EvictionCase c)
    {
        string text = Policies[c.Seed % Policies.Length].Replace("*", Table(c).ToString(), StringComparison.Ordinal);
        string budget = c.Policy[(c.Policy.IndexOf("slack=", StringComparison.Ordinal))..];
        return EvictionPolicy.Parse($"{text}{(text.Contains(':') ? ',' : ':')}{budget}");
    }

    private static HeadTable Table(EvictionCase c) => HeadTable.Of([.. Enumerable.Range(0, c.Sharing.NumStores).Select(store =>
        Enumerable.Range(0, c.Model.KvHeads).Select(h => store + h == 0 ? 16.0 : (c.Seed + (7 * store) + (3 * h)) % 6).ToArray())]);

    private static EngineOptions Options(EvictionCase c) => new()
    {
        Chunk = c.Chunk, RowType = DType.F32, MaxTokens = c.Tokens + c.Next, Window = c.Tokens + c.Next, MaxLogitRows = 1, Trace = true,
    };

    private void Holds(EvictionCase c)
    {
        EvictionPolicy policy = Policy(c);
        using Session session = fixture.Open(c.Model, Options(c), c.Sharing);
        Engine engine = session.Engine;
        using KvCache cache = engine.CreateCache();
        engine.Prefill(cache, 0, c.Prompt, EvictionPolicy.Full);
        using KvCache fork = engine.Fork(cache, 0, policy, 1, out _);
        int heads = c.Model.KvHeads;
        long budget = (long)Math.Min(c.Tokens, Math.Max(1, policy.Budget.RowsFor(c.Tokens))) * heads;
        Assert.Equal(c.Tokens <= policy.Window ? (long)c.Tokens * heads * c.Sharing.NumStores : budget * c.Sharing.NumStores, Enumerable.Range(0, c.Sharing.NumStores).Sum(store => fork.Rows(store, 0)));
        foreach (EvictionTrace trace in engine.Traces)
        {
            RunRows[] held = CacheRows.Of(engine, fork, trace.Store, 0);
            Assert.Equal(trace.Kept.Sum(rows => (long)rows.Length), fork.Rows(trace.Store, 0));
            for (int h = 0; h < heads; h++)
            {
                Assert.Equal(trace.Kept[h].Select(row => trace.Positions[h][row]), held[h].Positions);
                Assert.Equal(Best(trace, h, trace.Kept[h].Length), trace.Kept[h]);
            }

            if (trace.ByScore && policy.Table is HeadTable table)
            {
                int isProtected = trace.Sinks + trace.Window;
                long[][] weights = [.. Enumerable.Range(0, table.Layers).Select(l => Enumerable.Range(0, heads).Select(h => (long)table[l, h]).ToArray())];
                int[] expected = FixedShares.OfHeads(weights, c.Tokens - isProtected, (int)(budget / heads) - isProtected)[trace.Store];
                Assert.Equal(expected, trace.Kept.Select(rows => rows.Length - isProtected));
            }
            else if (trace.ByScore && !policy.ScalesByMass && policy.Critical is null && policy.Heads != HeadAllocation.Mask)
            {
                int[] counts = Allocation.Counts(
                    [.. Enumerable.Range(0, heads).Select(h => Candidates(trace, h))], trace.Kept.Sum(rows => (long)rows.Length) - Protected(trace), policy.Heads, policy.Floor);
                Assert.Equal(counts, trace.Kept.Select((rows, h) => rows.Length - (trace.Scores[h].Length - Candidates(trace, h).Length)));
            }
        }

        if (policy.Layers == LayerAllocation.Global && engine.Traces.Count == c.Sharing.NumStores && engine.Traces.All(trace => trace.ByScore))
        {
            int[][] counts = LayerSplits.Global(
                [.. engine.Traces.Select(trace => Enumerable.Range(0, heads).Select(h => Candidates(trace, h)).ToArray())],
                engine.Traces.Sum(trace => trace.Kept.Sum(rows => (long)rows.Length) - Protected(trace)), HeadAllocation.Pure, default);
            Assert.Equal(counts.Select(store => store.Sum()), engine.Traces.Select(trace => (int)(trace.Kept.Sum(rows => rows.Length) - Protected(trace))));
        }
    }

    private static long Protected(EvictionTrace trace) =>
        trace.Scores.Sum(scores => (long)scores.Length - ProtectedRows.Candidates(scores.Length, trace.Sinks, trace.Window));

    private static float[] Candidates(EvictionTrace trace, int head)
    {
        int length = trace.Scores[head].Length;
        return trace.Scores[head].AsSpan(ProtectedRows.Sinks(length, trace.Sinks, trace.Window), ProtectedRows.Candidates(length, trace.Sinks, trace.Window)).ToArray();
    }

    // The protected rows and the best candidates, ascending.
    private static IEnumerable<int> Best(EvictionTrace trace, int head, int count)
    {
        int length = trace.Scores[head].Length, sinks = ProtectedRows.Sinks(length, trace.Sinks, trace.Window);
        float[] candidates = Candidates(trace, head);
        IEnumerable<int> always = Enumerable.Range(0, length).Where(j => j < sinks || j >= sinks + candidates.Length);
        return always.Concat(Allocation.Order([candidates]).Take(count - (length - candidates.Length)).Select(e => sinks + e.Position)).Order();
    }
}
