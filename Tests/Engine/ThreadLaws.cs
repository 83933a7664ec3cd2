using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Runtime;
using KvIL.Reference;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Engines;

/// <summary>The number of threads changes no bit of logits, caches, evicted rows or losses.</summary>
public sealed class ThreadLaws
{
    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F16)]
    public void Threads_change_no_bit(DType rowType)
    {
        Outcome expected = Run(new ReferenceBackend(1), rowType);
        foreach (int threads in (int[])[2, 3, 5]) Same(expected, Run(new ReferenceBackend(threads), rowType));
    }

    [Fact]
    public void Mutant_a_last_bit_is_seen()
    {
        TamperedBackend flipped = new(new ReferenceBackend(2))
        {
            After = (queue, b) =>
            {
                if (b.Plan.Name == "head") TamperedBackend.Edit<int>(queue, b.Buffers[b.Plan.Outputs[0].Id]!, 1, bits => bits[0] ^= 1);
            },
        };
        Outcome expected = Run(new ReferenceBackend(1), DType.F32);
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => Same(expected, Run(flipped, DType.F32)));
    }

    private static void Same(Outcome a, Outcome b)
    {
        Assert.Equal(a.Logits, b.Logits);
        Assert.Equal(a.Costs, b.Costs);
        Assert.All(a.Rows.Zip(b.Rows), runs => Assert.True(runs.First.SameBits(runs.Second)));
    }

    // A real prompt in chunks, evicted layer by layer, then steps that evict again.
    private static Outcome Run(IBackend backend, DType rowType)
    {
        EngineOptions options = new() { Chunk = 60, RowType = rowType, Window = 16, MeasureLoss = true };
        using Session session = new(EngineFixture.Demo, options, null, backend);
        Engine engine = session.Engine;
        using KvCache cache = engine.CreateCache();
        int[] ids = Ids.Prompt(engine.Model, 0, 150);
        List<int> logits = [];
        IReadOnlyList<EvictionCost> costs = engine.Prefill(cache, 0, ids, EvictionPolicy.Parse("ada-snapkv:window=16,budget=20%,slack=3"));
        for (int step = 0; step < 5; step++)
        {
            logits.AddRange(engine.Logits(0).ToArray().Select(BitConverter.SingleToInt32Bits));
            engine.Forward(cache, [0], [Inference.Generation.Sampler.ArgMax(engine.Logits(0))], [0]);
        }

        return new(logits, costs, [.. CacheRows.Of(engine, cache, 0).SelectMany(s => s)]);
    }

    private sealed record Outcome(List<int> Logits, IReadOnlyList<EvictionCost> Costs, List<RunRows> Rows);
}
