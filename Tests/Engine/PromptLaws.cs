using KvIL.Backends;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Inference;
using KvIL.Inference.Runtime;
using KvIL.Tensors;
using Xunit;
using Law = KvIL.Tests.Eviction.Law;

namespace KvIL.Tests.Engines;

/// <summary>When a prompt is evicted: in parts, before a question, around protected tokens, and with rows moved to consecutive positions.</summary>
public sealed class PromptLaws(EngineFixture fixture) : IClassFixture<EngineFixture>
{
    private const double Theta = 100; // of the synthetic models

    private static readonly string[] Scored = ["snapkv:window=3,kernel=3", "ada-knorm", "h2o:window=2", "lagkv:lag=3", "ada-expected:future=8", "global-snapkv:window=2"];

    [Fact]
    public void Parts_hold_no_more_than_the_budget_and_a_part() => Law.ForAll(EvictionCase.Cases, c =>
    {
        EvictionPolicy policy = Policy(c, Scored);
        using Session session = fixture.Open(c.Model, Options(c), c.Sharing, inner => inner);
        Engine engine = session.Engine;
        using KvCache cache = engine.CreateCache();
        int part = 1 + (c.Seed % 9);
        long rows = Math.Min(c.Tokens, Math.Max(1, policy.Budget.RowsFor(c.Tokens)));
        engine.Model.Backend.Memory.ResetPeaks();
        engine.Prefill(cache, 0, c.Prompt, policy, reserve: 1, evictEvery: part);
        int stores = c.Sharing.NumStores;
        Assert.Equal(c.Tokens, cache.Tokens(0));
        Assert.InRange(Enumerable.Range(0, stores).Sum(store => cache.Rows(store, 0)), 1, Math.Max(rows, Math.Min(policy.Window, c.Tokens)) * c.Model.KvHeads * stores);
        long peak = engine.Model.Backend.Memory.Peak(MemoryKind.Cache);
        MemoryNeed need = MemoryNeed.Of(engine, policy, c.Tokens, 1, evictEvery: part);
        Assert.InRange(peak, 0, need.KvPeak);
    }, maxTest: 100);

    [Fact]
    public void One_part_is_the_whole_prompt() => Law.ForAll(EvictionCase.Cases, c =>
    {
        EvictionPolicy policy = Policy(c, Scored);
        using Session session = fixture.Open(c.Model, Options(c), c.Sharing);
        using KvCache whole = session.Engine.CreateCache(), part = session.Engine.CreateCache();
        session.Engine.Prefill(whole, 0, c.Prompt, policy, reserve: 1);
        session.Engine.Prefill(part, 0, c.Prompt, policy, reserve: 1, evictEvery: c.Tokens);
        SameRows(session.Engine, whole, part);
    }, maxTest: 60);

    [Fact]
    public void A_question_is_kept_and_changes_nothing_that_was_kept_before() => Law.ForAll(EvictionCase.Cases, c =>
    {
        EvictionPolicy policy = Policy(c, Scored);
        using Session session = fixture.Open(c.Model, Options(c), c.Sharing);
        Engine engine = session.Engine;
        using KvCache context = engine.CreateCache(), asked = engine.CreateCache();
        engine.Prefill(context, 0, c.Prompt, policy, reserve: c.Next);
        engine.Prefill(asked, 0, c.Prompt, policy, reserve: c.Next);
        engine.Follow(asked, 0, c.Following);
        int[] question = [.. Enumerable.Range(c.Tokens, c.Next)];
        Assert.All(CacheRows.Of(engine, context, 0).Zip(CacheRows.Of(engine, asked, 0)), store => Assert.All(store.First.Zip(store.Second), run =>
            Assert.Equal(run.First.Positions.Concat(question), run.Second.Positions)));
    }, maxTest: 60);

    [Fact]
    public void Protected_positions_stay_in_every_head() => Law.ForAll(EvictionCase.Cases, c =>
    {
        EvictionPolicy policy = Policy(c, Scored);
        using Session session = fixture.Open(c.Model, Options(c), c.Sharing);
        Engine engine = session.Engine;
        using KvCache cache = engine.CreateCache();
        int[] wanted = [.. Enumerable.Range(0, c.Tokens).Where(p => (p + c.Seed) % 5 == 0)];
        engine.Protect(cache, 0, wanted.Reverse());
        (int sinks, int window) = policy.Protected(c.Tokens);
        int rows = policy.Budget.RowsFor(c.Tokens);
        if (wanted.Length > 0 && rows < c.Tokens && rows < wanted.Length + window + sinks && c.Tokens > policy.Window)
        {
            Assert.Contains("protect", Assert.Throws<RequestException>(() => engine.Prefill(cache, 0, c.Prompt, policy)).Message);
            return;
        }

        engine.Prefill(cache, 0, c.Prompt, policy, reserve: c.Next);
        foreach (int id in c.Following) engine.Forward(cache, [0], [id], [0]);
        Assert.All(CacheRows.Of(engine, cache, 0).SelectMany(store => store), run => Assert.Superset(wanted.ToHashSet(), run.Positions.ToHashSet()));
    }, maxTest: 100);

    [Fact]
    public void Sums_of_attention_go_on_from_one_cut_to_the_next() => Law.ForAll(EvictionCase.Cases, c => SumsGoOn(c, share: 1), maxTest: 60);

    [Fact]
    public void Mutant_sums_that_count_queries_for_half() => Law.Catches(EvictionCase.Cases, c => SumsGoOn(c, share: 0.5), maxTest: 60);

    [Fact]
    public void Rows_moved_to_consecutive_positions_have_their_keys_turned_there() => Law.ForAll(EvictionCase.Cases, c =>
    {
        EvictionPolicy policy = Policy(c, ["sliding:sinks=2", "finch:window=3", "knorm", "h2o:window=1"]);
        EvictionPolicy moved = EvictionPolicy.Parse($"{policy},positions=consecutive");
        using Session session = fixture.Open(c.Model, Options(c), c.Sharing);
        Engine engine = session.Engine;
        using KvCache apart = engine.CreateCache(), together = engine.CreateCache();
        engine.Prefill(apart, 0, c.Prompt, policy, reserve: c.Next);
        engine.Prefill(together, 0, c.Prompt, moved, reserve: c.Next);
        Assert.Equal(c.Tokens, together.Tokens(0));
        Assert.Equal(together.Rows(0, 0) / c.Model.KvHeads, together.Position(0));
        Assert.All(CacheRows.Of(engine, apart, 0).Zip(CacheRows.Of(engine, together, 0)), store => Assert.All(store.First.Zip(store.Second), run =>
        {
            Assert.Equal(Enumerable.Range(0, run.First.Length), run.Second.Positions);
            Assert.True(run.First.Values.AsSpan().SequenceEqual(run.Second.Values));
            KeysAreTurned(run.First, run.Second, c.Model.HeadDim);
        }));
        foreach (int id in c.Following) engine.Forward(together, [0], [id], [0]);
        Assert.All(CacheRows.Of(engine, together, 0).SelectMany(store => store), run => Assert.Equal(Enumerable.Range(0, run.Length), run.Positions));
        Assert.Equal(CacheRows.Of(engine, together, 0)[0][0].Length, together.Position(0));
    }, maxTest: 100);

    [Fact]
    public void A_text_of_many_contexts_runs_where_rows_move()
    {
        SyntheticModel model = SyntheticModel.Deep;
        using Session session = fixture.Open(model, new() { Chunk = 16, MaxTokens = 48, RowType = DType.F32 });
        Engine engine = session.Engine;
        using KvCache cache = engine.CreateCache();
        engine.Prefill(cache, 0, Ids.Random(1, 500, model.Vocabulary), EvictionPolicy.Parse("sliding:budget=24,slack=8,positions=consecutive"));
        for (int step = 0; step < 300; step++)
        {
            engine.Forward(cache, [0], [step % model.Vocabulary], [0]);
            Assert.InRange(cache.Position(0), 1, 24 + 8);
            Assert.All(engine.Logits(0).ToArray(), logit => Assert.True(float.IsFinite(logit)));
        }

        Assert.Equal(800, cache.Tokens(0));
        Assert.Throws<RequestException>(() => engine.Prefill(cache, 0, Ids.Random(1, 500, model.Vocabulary), EvictionPolicy.Parse("sliding:budget=24")));
    }

    // H2O by its definition, a step at a time: every token's attention is added to the rows that it sees; a cut compares.
    private void SumsGoOn(EvictionCase c, double share)
    {
        EvictionPolicy policy = Policy(c, ["h2o:window=2", "ada-h2o:window=1,sinks=1"]);
        using Session session = fixture.Open(c.Model, Options(c) with { MaxTokens = c.Tokens + 30 });
        Engine engine = session.Engine;
        using KvCache cache = engine.CreateCache();
        engine.Prefill(cache, 0, c.Prompt, policy, reserve: 30);
        int store = c.Seed % c.Model.Layers, cut = cache.At(store, 0).SummedAt;
        if (cache.At(store, 0).Sums is not { } first) return;
        Dictionary<int, double>[] expected = [.. CacheRows.Of(engine, cache, store, 0).Select((run, h) =>
            run.Positions.Zip(first[h]).ToDictionary(p => p.First, p => (double)p.Second))];
        for (int step = 0; step < 30; step++)
        {
            engine.Forward(cache, [0], [(step + c.Seed) % c.Model.Vocabulary], [0]);
            RunRows[] runs = CacheRows.Of(engine, cache, store, 0);
            if (cache.At(store, 0).SummedAt != cut)
            {
                cut = cache.At(store, 0).SummedAt;
                Assert.Equal(cache.Tokens(0) - 1, cut);
                for (int h = 0; h < runs.Length; h++)
                {
                    float[] sums = cache.At(store, 0).Sums![h];
                    Assert.All(sums.Zip(runs[h].Positions), row => Assert.InRange(row.First - expected[h].GetValueOrDefault(row.Second), -1e-4, 1e-4));
                }
            }

            for (int h = 0; h < runs.Length; h++) Attend(engine, cache, store, runs[h], h, expected[h], share);
        }

        Assert.True(policy.Slack > 25 || cut > c.Tokens);
    }

    // What the newest query of each head of the group pays to the rows, its mean over the group.
    private static void Attend(Engine engine, KvCache cache, int layer, RunRows run, int head, Dictionary<int, double> sums, double share)
    {
        int d = engine.Model.Config.HeadDim, heads = engine.Model.Config.NumQueryHeads, group = heads / engine.Model.Config.NumKvHeads;
        float[] ring = CacheRows.Download<float>(engine, cache.Windows[layer], engine.Options.Window * heads * d);
        int slot = (cache.Position(0) - 1) % engine.Options.Window;
        for (int i = head * group; i < (head + 1) * group; i++)
        {
            double[] weights = WindowScores.Softmax([.. Enumerable.Range(0, run.Length).Select(j =>
                Enumerable.Range(0, d).Sum(k => (double)ring[(((slot * heads) + i) * d) + k] * run.Key(j, d)[k]) / Math.Sqrt(d))]);
            for (int j = 0; j < run.Length; j++) sums[run.Positions[j]] = sums.GetValueOrDefault(run.Positions[j]) + (share * weights[j] / group);
        }
    }

    // A turn in double of a float32 key, rounded once: relative to the pair's length.
    private static void KeysAreTurned(RunRows apart, RunRows together, int d)
    {
        double[][] keys = [.. Enumerable.Range(0, apart.Length).Select(j => apart.Key(j, d).ToArray().Select(x => (double)x).ToArray())];
        double[][] turned = Rotation.Rerotated(keys, apart.Positions, Theta);
        for (int j = 0; j < turned.Length; j++)
        {
            for (int c = 0; c < d; c++)
            {
                double length = Math.Sqrt((keys[j][c % (d / 2)] * keys[j][c % (d / 2)]) + (keys[j][(c % (d / 2)) + (d / 2)] * keys[j][(c % (d / 2)) + (d / 2)]));
                Assert.InRange(together.Key(j, d)[c] - turned[j][c], -1.2e-7 * length, 1.2e-7 * length);
            }
        }
    }

    private static void SameRows(Engine engine, KvCache a, KvCache b) =>
        Assert.All(CacheRows.Of(engine, a, 0).Zip(CacheRows.Of(engine, b, 0)), store =>
            Assert.All(store.First.Zip(store.Second), run => Assert.True(run.First.SameBits(run.Second))));

    private static EvictionPolicy Policy(EvictionCase c, string[] texts)
    {
        string text = texts[c.Seed % texts.Length];
        string budget = c.Policy[c.Policy.IndexOf("slack=", StringComparison.Ordinal)..];
        return EvictionPolicy.Parse($"{text}{(text.Contains(':') ? ',' : ':')}{budget}");
    }

    private static EngineOptions Options(EvictionCase c) =>
        new() { Chunk = c.Chunk, RowType = DType.F32, Window = 6, MaxTokens = c.Tokens + c.Next + 1, RemembersPrompt = true, MaxLogitRows = 1 };
}
