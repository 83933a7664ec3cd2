using FsCheck;
using FsCheck.Fluent;
using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Runtime;
using KvIL.Tensors;
using Xunit;
using Law = KvIL.Tests.Eviction.Law;

namespace KvIL.Tests.Engines;

/// <summary>How tokens are cut into calls, chunks and batches: some sequences, and a seed for the order in which their tokens come.</summary>
public sealed record ScheduleCase(int Model, int Sequences, int Tokens, int Chunk, bool Half, int Seed)
{
    public static Arbitrary<ScheduleCase> Cases { get; } = Arb.From(
        from model in Gen.Choose(0, SyntheticModel.All.Length - 1)
        from sequences in Gen.Choose(1, 3)
        from tokens in Gen.Choose(1, 40)
        from chunk in Gen.Elements(1, 2, 3, 7, 8, 9, 33, 64)
        from half in Gen.Elements(false, false, true)
        from seed in Gen.Choose(0, 1_000_000)
        select new ScheduleCase(model, sequences, tokens, chunk, half, seed),
        c => c.Shrink());

    /// <summary>Tokens of each sequence: the first has all, the others fewer.</summary>
    public int[] Lengths => [.. Enumerable.Range(0, Sequences).Select(s => Math.Max(1, Tokens * (4 - s) / 4))];

    /// <summary>Calls of (sequence, count) pairs that use up all tokens.</summary>
    public IEnumerable<(int Sequence, int Count)[]> Calls()
    {
        Random random = new(Seed);
        int[] left = Lengths;
        while (left.Sum() > 0)
        {
            int[] chosen = [.. Enumerable.Range(0, Sequences).Where(s => left[s] > 0 && random.Next(3) > 0)];
            random.Shuffle(chosen);
            int most = random.Next(2) == 0 ? 3 : 24;
            (int, int)[] call = [.. chosen.Select(s => (s, random.Next(1, 1 + Math.Min(left[s], most))))];
            foreach ((int s, int count) in call) left[s] -= count;
            if (call.Length > 0) yield return call;
        }
    }

    private IEnumerable<ScheduleCase> Shrink()
    {
        if (Sequences > 1) yield return this with { Sequences = Sequences - 1 };
        if (Tokens > 1) yield return this with { Tokens = Tokens / 2 };
        if (Tokens > 1) yield return this with { Tokens = Tokens - 1 };
        if (Chunk < 64) yield return this with { Chunk = 64 };
        if (Half) yield return this with { Half = false };
    }
}

/// <summary>Before eviction any way of feeding tokens gives what the model is by definition, within the reduction bound.</summary>
/// <remarks>Any split into calls, any chunk size, interleaved sequences, and a batch against its sequences alone are all schedules.</remarks>
public sealed class ScheduleLaws(EngineFixture fixture) : IClassFixture<EngineFixture>
{
    [Fact]
    public void Any_schedule_of_calls_gives_the_definition() => Law.ForAll(ScheduleCase.Cases, c => Holds(c), maxTest: 80);

    [Fact]
    public void Layer_by_layer_equals_whole_to_the_bit_at_equal_chunks() => Law.ForAll(ScheduleCase.Cases, c => LayerwiseIsWhole(c), maxTest: 60);

    [Fact]
    public void A_call_that_would_corrupt_the_cache_is_refused_and_changes_nothing()
    {
        SyntheticModel model = SyntheticModel.All[0];
        using Session session = fixture.Open(model, new() { Sequences = 2, MaxTokens = 6 });
        Engine engine = session.Engine;
        using KvCache cache = engine.CreateCache();
        engine.Forward(cache, [0, 0, 1], [1, 2, 3], [2]);
        Assert.Throws<ArgumentException>(() => engine.Forward(cache, [0, 1, 0], [1, 2, 3], [2])); // apart
        Assert.Throws<ArgumentException>(() => engine.Forward(cache, [0], [1, 2], [1]));
        Assert.Throws<Inference.RequestException>(() => engine.Forward(cache, [0], [model.Vocabulary], [0]));
        Assert.Throws<Inference.RequestException>(() => engine.Forward(cache, [0], [-1], [0]));
        Assert.Throws<Inference.RequestException>(() => engine.Prefill(cache, 0, [model.Vocabulary], EvictionPolicy.Full));
        Assert.Throws<Inference.RequestException>(() => engine.Prefill(cache, 0, [1, 2, model.Vocabulary], EvictionPolicy.Parse("sliding:budget=2")));
        Assert.Throws<Inference.RequestException>(() => engine.Forward(cache, [0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [0]));
        Assert.Equal((2, 1), (cache.Tokens(0), cache.Tokens(1)));
        Assert.All(CacheRows.Of(engine, cache, 0).SelectMany(store => store), run => Assert.Equal([0, 1], run.Positions));
    }

    [Fact]
    public void Mutant_positions_that_start_again_with_each_call() => Law.Catches(ScheduleCase.Cases, c => Holds(c, inner => new TamperedBackend(inner)
    {
        Before = (queue, b) =>
        {
            int n = b.Symbols[0];
            if (TamperedBackend.Bound(b, "positions") is IBuffer positions) TamperedBackend.Edit<int>(queue, positions, n, p => Shift(p, -p[0]));
        },
    }), maxTest: 20);

    [Fact]
    public void Mutant_a_batch_that_is_all_one_sequence() => Law.Catches(ScheduleCase.Cases, c => Holds(c, inner => new TamperedBackend(inner)
    {
        Before = (queue, b) =>
        {
            if (TamperedBackend.Bound(b, "sequences") is IBuffer sequences) TamperedBackend.Edit<int>(queue, sequences, b.Symbols[0], Array.Clear);
        },
    }), maxTest: 20);

    [Fact]
    public void Mutant_a_last_row_that_is_lost() => Law.Catches(ScheduleCase.Cases, c => Holds(c, inner => new TamperedBackend(inner)
    {
        After = (queue, b) =>
        {
            if (TamperedBackend.Bound(b, "store.0") is IStore store)
                TamperedBackend.Edit<int>(queue, store.Lengths, ((StoreSpec)store.Spec).Runs, lengths => lengths[^1] = Math.Max(0, lengths[^1] - 1));
        },
    }), maxTest: 20);

    [Fact]
    public void Mutant_a_layer_that_misses_its_last_chunk() => Law.Catches(ScheduleCase.Cases, c => LayerwiseIsWhole(c, inner => new TamperedBackend(inner)
    {
        After = (queue, b) =>
        {
            if (b.Plan.Name == "layer 0" && TamperedBackend.Bound(b, "store.0") is IStore store)
                TamperedBackend.Edit<float>(queue, store.Values, 1, values => values[0] += 1e-3f);
        },
    }), maxTest: 20);

    private void Holds(ScheduleCase c, Func<IBackend, IBackend>? tamper = null)
    {
        SyntheticModel model = SyntheticModel.All[c.Model];
        DType rows = c.Half ? DType.F16 : DType.F32;
        using Session session = fixture.Open(
            model, new() { Sequences = c.Sequences, Chunk = c.Chunk, RowType = rows, MaxLogitRows = c.Tokens * c.Sequences }, tamper: tamper);
        Engine engine = session.Engine;
        using KvCache cache = engine.CreateCache();
        int[][] ids = [.. c.Lengths.Select((n, s) => Ids.Random(c.Seed + s, n, model.Vocabulary))];
        Definition[] expected = [.. ids.Select(i => fixture.Definition(model, rowType: rows).Run(i, DoubleModel.Causal))];
        foreach ((int Sequence, int Count)[] call in c.Calls())
        {
            int[] first = [.. call.Select(p => cache.Tokens(p.Sequence))];
            int[] sequences = [.. call.SelectMany(p => Enumerable.Repeat(p.Sequence, p.Count))];
            int[] tokens = [.. call.SelectMany((p, i) => ids[p.Sequence].Skip(first[i]).Take(p.Count))];
            engine.Forward(cache, sequences, tokens, [.. Enumerable.Range(0, tokens.Length)]);
            int row = 0;
            for (int p = 0; p < call.Length; p++)
            {
                for (int t = 0; t < call[p].Count; t++) Near.Row(expected[call[p].Sequence].Logits, first[p] + t, 0, engine.Logits(row++), "logits");
            }
        }

        for (int s = 0; s < c.Sequences; s++)
        {
            RunRows[][] runs = CacheRows.Of(engine, cache, s);
            Assert.All(runs.SelectMany(r => r), run => Assert.Equal(Enumerable.Range(0, c.Lengths[s]), run.Positions));
            Near.Rows(expected[s], runs, model.HeadDim);
        }
    }

    // The same kernels on the same chunks in another order; what is evicted, and what follows, is therefore the same too.
    private void LayerwiseIsWhole(ScheduleCase c, Func<IBackend, IBackend>? tamper = null)
    {
        SyntheticModel model = SyntheticModel.All[c.Model];
        int budget = 1 + (c.Seed % c.Tokens);
        EvictionPolicy policy = EvictionPolicy.Parse((c.Seed % 3) switch
        {
            0 => $"sliding:sinks=2,budget={budget}",
            1 => $"ada-snapkv:window=4,kernel=3,budget={budget}",
            _ => $"pyramidkv:window=3,pool=avg,kernel=5,budget={budget}",
        });
        using Session session = fixture.Open(model, new() { Chunk = c.Chunk, RowType = DType.F32, Window = 5 }, tamper: tamper);
        Engine engine = session.Engine;
        int[] ids = Ids.Random(c.Seed, c.Tokens, model.Vocabulary);
        using KvCache layered = engine.CreateCache(), whole = engine.CreateCache();
        engine.Prefill(layered, 0, ids, policy);
        float[] logits = engine.Logits(0).ToArray();
        engine.Prefill(whole, 0, ids, EvictionPolicy.Full);
        Assert.Equal(logits, engine.Logits(0).ToArray());
        engine.Evict(whole, 0, policy);
        Assert.Equal(whole.Tokens(0), layered.Tokens(0));
        Assert.All(CacheRows.Of(engine, layered, 0).Zip(CacheRows.Of(engine, whole, 0)), store =>
            Assert.All(store.First.Zip(store.Second), run => Assert.True(run.First.SameBits(run.Second))));
    }

    private static void Shift(int[] values, int by)
    {
        for (int i = 0; i < values.Length; i++) values[i] += by;
    }
}
