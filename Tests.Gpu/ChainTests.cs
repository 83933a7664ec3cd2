using KvIL.Eviction;
using KvIL.Plans;
using KvIL.Tensors;
using KvIL.Tests.Gpu.Support;
using Xunit;

namespace KvIL.Tests.Gpu;

/// <summary>A whole eviction in one plan: scores, mean, pooling, budgets, rows, compaction, and attention over what is left.</summary>
public sealed class ChainTests(Devices devices) : IClassFixture<Devices>
{
    private const int HeadDim = 32, KvHeads = 2, Window = 4;

    [Theory]
    [InlineData(DType.F32, 1, HeadAllocation.Pure, PoolKind.Max)]
    [InlineData(DType.F16, 3, HeadAllocation.Blend, PoolKind.Avg)]
    [InlineData(DType.F32, 4, HeadAllocation.Floor, PoolKind.Max)]
    public void Decisions_are_equal_when_both_are_fed_the_same_scores(DType rows, int group, HeadAllocation rule, PoolKind pool)
    {
        Random random = new(group);
        HostStore store = HostStore.Random(random, rows, 1, KvHeads, HeadDim, [47, 39], slack: 1);
        float[] window = Draw.Normals(random, Window * KvHeads * group * HeadDim);
        float scale = 1 / MathF.Sqrt(HeadDim);

        // The scores of this backend, as a result of their own ...
        PlanBuilder first = new();
        Slot windowSlot = first.Input("window", new TensorSpec(DType.F32, 1, Window, KvHeads * group * HeadDim));
        Slot firstStore = first.Input("store", store.Spec with { Rows = 0 });
        Slot scores = first.Output(first.WindowScores(windowSlot, firstStore, 0, store.Tokens(0), 48, scale));
        Given given = new() { Inputs = { [windowSlot] = window, [firstStore] = store } };
        float[] computed = PlanRun.On(devices.Gpu, first.Build("scores"), given).Floats(scores);

        // ... are what both backends decide by.
        Chain chain = new(store, group, rule, pool, null, scale);
        Given rest = chain.Given(store, computed, random);
        (Results expected, Results actual) = devices.Run(chain.Plan, rest);
        chain.AssertSame(expected, actual, (float[])rest.Inputs[chain.Q], scale, group);

        // And the plan that computes them on the way decides the same.
        Chain whole = new(store, group, rule, pool, window, scale);
        Given all = whole.Given(store, window, new(group));
        Results fused = PlanRun.On(devices.Gpu, whole.Plan, all);
        Same.Ints("counts of the whole plan", actual.Ints(chain.Counts), fused.Ints(whole.Counts));
        Same.Ints("rows of the whole plan", actual.Ints(chain.Rows), fused.Ints(whole.Rows));
    }

    /// <summary>The plan, from scores that are given or from a window of queries.</summary>
    private sealed class Chain
    {
        private const int Total = 40, Sinks = 2, Slack = 3;

        public Chain(HostStore store, int group, HeadAllocation rule, PoolKind pool, float[]? window, float scale)
        {
            PlanBuilder b = new();
            int width = KvHeads * group * HeadDim;
            Store = b.Input("store", store.Spec with { Rows = 0 });
            From = window is null
                ? b.Input("scores", new TensorSpec(DType.F32, KvHeads * group, 48))
                : b.Input("window", new TensorSpec(DType.F32, 1, Window, width));
            Slot scores = window is null ? From : b.WindowScores(From, Store, 0, store.Tokens(0), 48, scale);
            Slot pooled = b.Pool(b.GroupMean(scores, KvHeads), Store, 0, Window, pool, 5);
            Counts = b.Output(b.AllocateHeads(pooled, Store, 0, Total, Sinks, Window, rule, Ratio.Parse("1/5")));
            Rows = b.Output(b.SelectRows(pooled, Counts, Store, 0, Total, Sinks, Window));
            Compacted = b.Output(b.Compact(Store, Counts, Rows, 0, Slack));
            Q = b.Input("q", new TensorSpec(DType.F32, 1, width));
            Positions = b.Input("positions", new TensorSpec(DType.I32, 1));
            Sequences = b.Input("sequences", new TensorSpec(DType.I32, 1));
            Y = b.Output(b.Attend(Q, Compacted, Positions, Sequences, scale));
            Plan = b.Build("chain");
        }

        public Plan Plan { get; }

        public Slot Store { get; }

        public Slot From { get; }

        public Slot Counts { get; }

        public Slot Rows { get; }

        public Slot Compacted { get; }

        public Slot Q { get; }

        public Slot Positions { get; }

        public Slot Sequences { get; }

        public Slot Y { get; }

        public Given Given(HostStore store, float[] from, Random random) => new()
        {
            Inputs =
            {
                [Store] = store,
                [From] = from,
                [Q] = Draw.Normals(random, Q.Tensor.Shape[1].Max),
                [Positions] = new[] { store.Tokens(0) },
                [Sequences] = new int[1],
            },
            FreshRows = { [Compacted] = Total + (KvHeads * Slack) },
        };

        public void AssertSame(Results expected, Results actual, float[] q, float scale, int group)
        {
            Same.Ints("counts", expected.Ints(Counts), actual.Ints(Counts));
            Assert.Equal(Total, actual.Ints(Counts).Sum());
            Same.Ints("rows", expected.Ints(Rows), actual.Ints(Rows));
            HostStore kept = expected.Store(Compacted);
            Same.Stores(kept, actual.Store(Compacted));
            Same.Within("attention", expected.Floats(Y), actual.Floats(Y), i =>
                CacheTests.AttentionBound(kept, q, scale, group, 0, int.MaxValue, i / HeadDim, i, HeadDim));
        }
    }
}
