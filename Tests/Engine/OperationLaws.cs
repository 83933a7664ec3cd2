using FsCheck;
using FsCheck.Fluent;
using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Runtime;
using KvIL.Tensors;
using Xunit;
using Law = KvIL.Tests.Eviction.Law;

namespace KvIL.Tests.Engines;

/// <summary>Any sequence of prefills, steps, evictions and forks leaves a cache in order and its bytes accounted.</summary>
public sealed class OperationLaws(EngineFixture fixture) : IClassFixture<EngineFixture>
{
    private static readonly string[] Policies =
    [
        "full", "sliding:sinks=2,slack=1,budget=5", "snapkv:window=2,kernel=3,slack=0,budget=50%", "snapkv:window=9,kernel=1,slack=3,budget=60%",
        "ada-snapkv:window=3,alloc=pure,slack=2,budget=40%", "ada-pyramid:window=2,beta=3,slack=1,budget=9", "sliding:sinks=7,slack=2,budget=8",
        "global-snapkv:window=2,kernel=3,slack=2,budget=40%", "ada-knorm:window=1,slack=1,budget=6", "cake:window=3,slack=2,budget=50%", "lagkv:lag=3,window=1,budget=9",
        "leverage:slack=2,window=2,budget=30%", "tova:slack=1,budget=5",
    ];

    /// <summary>Operations as (kind, sequence, argument).</summary>
    private static Arbitrary<(int Kind, int Sequence, int Argument)[]> Operations { get; } = Arb.From(
        from count in Gen.Choose(1, 14)
        from operations in Gen.ArrayOf(
            from kind in Gen.Choose(0, 4)
            from sequence in Gen.Choose(0, 1)
            from argument in Gen.Choose(0, 1000)
            select (kind, sequence, argument),
            count)
        select operations,
        operations => Enumerable.Range(0, operations.Length).Select(i => operations.Where((_, j) => j != i).ToArray()));

    [Fact]
    public void Caches_stay_in_order_and_their_bytes_accounted() => Law.ForAll(Operations, o => Run(o), maxTest: 150);

    [Fact]
    public void Mutant_a_run_longer_than_the_host_knows() => Law.Catches(Operations, o => Run(o, inner => new TamperedBackend(inner)
    {
        After = (queue, b) =>
        {
            if (b.Plan.Name.StartsWith("evict", StringComparison.Ordinal) && b.Buffers[b.Plan.Outputs[^1].Id] is IStore { Spec: StoreSpec spec } fresh)
                TamperedBackend.Edit<int>(queue, fresh.Lengths, spec.Runs, lengths => lengths[0] = Math.Max(0, lengths[0] - 1));
        },
    }), maxTest: 50);

    [Fact]
    public void Mutant_a_store_that_is_never_freed() => Law.Catches(Operations, o => Run(o, leak: true), maxTest: 5);

    private void Run((int Kind, int Sequence, int Argument)[] operations, Func<IBackend, IBackend>? tamper = null, bool leak = false)
    {
        SyntheticModel model = SyntheticModel.Deep;
        IBackend backend = new KvIL.Reference.ReferenceBackend(1);
        if (tamper is not null) backend = tamper(backend);
        EngineOptions options = new() { Sequences = 2, Chunk = 8, RowType = DType.F16, Window = 9, MeasureLoss = true };
        using (Session session = new(fixture.PathOf(model), options, EvictionCase.AnyMap(operations.Length), backend))
        {
            Engine engine = session.Engine;
            List<KvCache> caches = [engine.CreateCache()];
            if (leak) engine.CreateCache();
            foreach ((int kind, int sequence, int argument) in operations)
            {
                Apply(engine, caches, kind, sequence, argument);
                Assert.Equal(caches.Sum(cache => cache.SizeBytes), backend.Memory.Current(MemoryKind.Cache));
                Assert.All(caches, cache => InOrder(engine, cache));
            }

            caches.ForEach(cache => cache.Dispose());
        }

        Assert.All(Enum.GetValues<MemoryKind>(), kind => Assert.Equal(0, backend.Memory.Current(kind)));
    }

    private static void Apply(Engine engine, List<KvCache> caches, int kind, int sequence, int argument)
    {
        KvCache cache = caches[argument % caches.Count];
        EvictionPolicy policy = EvictionPolicy.Parse(Policies[argument % Policies.Length]);
        int vocabulary = engine.Model.Config.VocabSize, room = engine.Options.MaxTokens - cache.Tokens(sequence);
        int[] ids = Ids.Random(argument, Math.Min(1 + (argument % (kind == 0 ? 30 : 3)), room), vocabulary);
        if (ids.Length == 0) return;
        switch (kind)
        {
            case 0: engine.Prefill(cache, sequence, ids, policy); break;
            case 1 or 2: engine.Forward(cache, [.. ids.Select(_ => sequence)], ids, [ids.Length - 1]); break;
            case 3 when cache.Tokens(sequence) > 0: engine.Evict(cache, sequence, policy); break;
            case 4 when cache.Tokens(sequence) > 0 && caches.Count < 3: caches.Add(engine.Fork(cache, sequence, policy, int.MaxValue, out _)); break;
        }
    }

    private static void InOrder(Engine engine, KvCache cache)
    {
        for (int store = 0; store < engine.Model.Transformer.Map.NumStores; store++)
        {
            RunRows[][] sequences = [.. Enumerable.Range(0, engine.Options.Sequences).Select(s => CacheRows.Of(engine, cache, store, s))];
            if (sequences[0].Length == 0) continue;
            long end = 0;
            foreach (RunRows run in sequences.SelectMany(s => s).OrderBy(run => run.Start))
            {
                Assert.True(run.Start >= end, "runs overlap");
                Assert.InRange(run.Length, 0, run.Capacity);
                Assert.Equal(run.Positions.Distinct().Order(), run.Positions);
                end = run.Start + run.Capacity;
            }

            // The documented formula: a key, a value and a position a row, a start, a length and a capacity a run.
            StoreSpec spec = (StoreSpec)cache.Store(store).Spec;
            int capacity = sequences.SelectMany(s => s).Sum(run => run.Capacity), elements = spec.RowType == DType.F16 ? 2 : 4;
            Assert.Equal((capacity * ((2 * spec.HeadDim * elements) + 4)) + (spec.Runs * 16), spec.SizeBytes);
            Assert.Equal(capacity, end);
            for (int s = 0; s < sequences.Length; s++)
            {
                KvCache.Occupancy known = cache.At(store, s);
                Assert.Equal(known.Rows, sequences[s].Sum(run => run.Length));
                Assert.All(sequences[s], run => Assert.InRange(run.Length, 0, known.LongestRun));
                Assert.All(sequences[s], run => Assert.True(run.Capacity - run.Length >= known.Free));
                if (cache.Tokens(s) > 0) Assert.All(sequences[s], run => Assert.Equal(cache.Tokens(s) - 1, run.Positions.LastOrDefault(-1)));
            }
        }
    }
}
