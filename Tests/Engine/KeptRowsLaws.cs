using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Runtime;
using KvIL.Tensors;
using Xunit;
using Law = KvIL.Tests.Eviction.Law;

namespace KvIL.Tests.Engines;

/// <summary>What a cache holds after eviction: exact totals, protected rows, ascending positions; and that decoding keeps the count.</summary>
public sealed class KeptRowsLaws(EngineFixture fixture) : IClassFixture<EngineFixture>
{
    [Fact]
    public void Prompts_are_cut_exactly() => Law.ForAll(EvictionCase.Cases, c => Holds(c), maxTest: 200);

    [Fact]
    public void Every_budget_of_every_method_is_met_exactly()
    {
        const int Tokens = 23;
        SyntheticModel model = SyntheticModel.All[2];
        using Session session = fixture.Open(model, new() { RowType = DType.F32, Window = 8 });
        using KvCache cache = session.Engine.CreateCache();
        session.Engine.Prefill(cache, 0, Ids.Random(1, Tokens, model.Vocabulary), EvictionPolicy.Full);
        IEnumerable<string> budgets = Enumerable.Range(1, Tokens + 3).Select(n => $"{n}").Concat(Enumerable.Range(1, 100).Select(p => $"{p}%"));
        foreach (string method in (string[])["sliding", "snapkv:window=4", "ada-snapkv:window=4,alloc=pure", "ada-snapkv:window=4,floor=1/7",
            "ada-snapkv:window=8,alloc=floor", "pyramidkv:window=4,beta=5", "ada-pyramid:window=1,sinks=2"])
        {
            foreach (string budget in budgets)
            {
                EvictionPolicy policy = EvictionPolicy.Parse(method).WithBudget(Budget.Parse(budget));
                using KvCache fork = session.Engine.Fork(cache, 0, policy, 1, out _);
                Check(policy, CacheRows.Of(session.Engine, fork, 0), Tokens);
            }
        }
    }

    [Fact]
    public void Decoding_keeps_the_count_within_the_slack() => Law.ForAll(EvictionCase.Cases, c => Decodes(c), maxTest: 100);

    [Fact]
    public void Evicting_a_sequence_leaves_the_others_bits() => Law.ForAll(EvictionCase.Cases, c => LeavesOthers(c), maxTest: 60);

    [Theory]
    [InlineData("total", -1)]
    [InlineData("sinks", -1)]
    [InlineData("window", -1)]
    public void Mutant_integers_that_are_off_by_one(string symbol, int by) => Law.Catches(EvictionCase.Cases, c => Holds(c, inner => new TamperedBackend(inner)
    {
        Before = (_, b) => TamperedBackend.Rebind(b, symbol, value => Math.Max(0, value + (b.Plan.Name.StartsWith("evict", StringComparison.Ordinal) ? by : 0))),
    }), maxTest: 100);

    [Fact]
    public void Mutant_a_second_cut_that_forgets_a_row() => Law.Catches(EvictionCase.Cases, c =>
    {
        int cuts = 0;
        Decodes(c, inner => new TamperedBackend(inner)
        {
            Before = (_, b) => TamperedBackend.Rebind(b, "total", value => cuts++ < 4 ? value : value - 1),
        });
    });

    [Fact]
    public void Mutant_a_bit_of_another_sequence() => Law.Catches(EvictionCase.Cases, c => LeavesOthers(c, inner => new TamperedBackend(inner)
    {
        After = (queue, b) =>
        {
            if (!b.Plan.Name.StartsWith("evict", StringComparison.Ordinal)) return;
            IStore fresh = (IStore)b.Buffers[b.Plan.Outputs[^1].Id]!;
            StoreSpec spec = (StoreSpec)fresh.Spec;
            long[] starts = new long[spec.Runs];
            queue.Download<long>(fresh.Starts, starts);
            queue.Synchronize();
            int row = (int)starts[spec.NumKvHeads] * spec.HeadDim; // the first row of sequence 1
            TamperedBackend.Edit<int>(queue, fresh.Values, row + 1, bits => bits[row] ^= b.Symbols[0] == 0 && bits[row] != 0 ? 1 : 0);
        },
    }), maxTest: 60);

    private void Holds(EvictionCase c, Func<IBackend, IBackend>? tamper = null)
    {
        using Session session = fixture.Open(c.Model, c.Options, c.Sharing, tamper);
        using KvCache cache = session.Engine.CreateCache();
        session.Engine.Prefill(cache, 0, c.Prompt, c.Parsed);
        RunRows[][] stores = CacheRows.Of(session.Engine, cache, 0);
        Check(c.Parsed, stores, c.Tokens);
        Assert.Equal(c.Sharing.NumStores, stores.Length);
        for (int store = 0; store < stores.Length; store++) Assert.Equal(cache.Rows(store, 0), stores[store].Sum(run => run.Length));
    }

    private static void Check(EvictionPolicy policy, RunRows[][] stores, int tokens)
    {
        int heads = stores[0].Length, rows = Math.Max(1, policy.Budget.RowsFor(tokens));
        bool whole = tokens <= policy.Window || rows >= tokens;
        int[] totals = [.. stores.Select(store => store.Sum(run => run.Length))];
        Assert.Equal((long)stores.Length * heads * (whole ? tokens : rows), totals.Sum());
        if (policy.Layers == LayerAllocation.Uniform) Assert.All(totals, total => Assert.Equal(totals[0], total));
        foreach ((RunRows[] store, int total) in stores.Zip(totals))
        {
            int mean = total / heads;
            foreach (RunRows run in store)
            {
                Assert.Equal(run.Positions.Distinct().Order(), run.Positions);
                Assert.All(run.Positions, p => Assert.InRange(p, 0, tokens - 1));
                Assert.InRange(run.Length, 0, run.Capacity);
                if (whole || mean <= policy.Window)
                {
                    Assert.Equal(Enumerable.Range(tokens - mean, mean), run.Positions);
                    continue;
                }

                Assert.Superset(Enumerable.Range(tokens - policy.Window, policy.Window).ToHashSet(), run.Positions.ToHashSet());
                Assert.Superset(Enumerable.Range(0, Math.Min(policy.Sinks, mean - policy.Window)).ToHashSet(), run.Positions.ToHashSet());
                if (policy.Heads == HeadAllocation.Uniform) Assert.InRange(run.Length - mean, 0, total % heads > 0 ? 1 : 0);
            }
        }
    }

    // What the rows must be after every step, from the rules alone: free rows are used up, then the store is cut again.
    private void Decodes(EvictionCase c, Func<IBackend, IBackend>? tamper = null)
    {
        using Session session = fixture.Open(c.Model, c.Options, c.Sharing, tamper);
        Engine engine = session.Engine;
        using KvCache cache = engine.CreateCache();
        engine.Prefill(cache, 0, c.Prompt, c.Parsed);
        int heads = c.Model.KvHeads, slack = Math.Max(1, c.Parsed.Slack);
        int[] kept = [.. Enumerable.Range(0, c.Sharing.NumStores).Select(store => (int)cache.Rows(store, 0) / heads)];
        int[] held = [.. kept];
        bool whole = kept.Min() == c.Tokens;
        foreach (int id in Ids.Random(c.Seed, 12, c.Model.Vocabulary))
        {
            engine.Forward(cache, [0], [id], [0]);
            RunRows[][] stores = CacheRows.Of(engine, cache, 0);
            for (int store = 0; store < stores.Length && !whole; store++)
            {
                held[store] = kept[store] == c.Tokens ? held[store] + 1 : 1 + (held[store] - kept[store] == slack ? kept[store] : held[store]);
                if (kept[store] < c.Tokens) Assert.Equal(heads * held[store], stores[store].Sum(run => run.Length));
                Assert.Equal(cache.Rows(store, 0), stores[store].Sum(run => run.Length));
                Assert.All(stores[store], run => Assert.Equal(cache.Tokens(0) - 1, run.Positions[^1]));
                Assert.All(stores[store], run => Assert.Equal(run.Positions.Distinct().Order(), run.Positions));
            }
        }
    }

    private void LeavesOthers(EvictionCase c, Func<IBackend, IBackend>? tamper = null)
    {
        using Session session = fixture.Open(c.Model, c.Options with { Sequences = 2 }, c.Sharing, tamper);
        Engine engine = session.Engine;
        using KvCache cache = engine.CreateCache();
        engine.Prefill(cache, 0, c.Prompt, EvictionPolicy.Full);
        engine.Prefill(cache, 1, c.Following, EvictionPolicy.Full);
        RunRows[][] before = CacheRows.Of(engine, cache, 1);
        engine.Evict(cache, 0, c.Parsed);
        Check(c.Parsed, CacheRows.Of(engine, cache, 0), c.Tokens);
        Assert.All(before.Zip(CacheRows.Of(engine, cache, 1)), store =>
            Assert.All(store.First.Zip(store.Second), run => Assert.True(run.First.SameBits(run.Second))));
    }
}
