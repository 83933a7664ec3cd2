using KvIL.Eviction;
using KvIL.Inference.Generation;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Reference;
using Xunit;

namespace KvIL.Tests.Engines;

/// <summary>Runs alone, since it counts what the whole process allocates.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class AloneCollection;

/// <summary>A decode step, ids in and ids out, allocates nothing on the managed heap: on no thread.</summary>
[Collection("alone")]
public sealed class DecodeAllocationTests
{
    private const int Steps = 50;

    [Theory]
    [InlineData("full")]
    [InlineData("ada-snapkv:window=16,budget=30,slack=400")]
    public void A_step_allocates_nothing(string policy) => Assert.Equal((0L, 0L), Least(policy, step => { }));

    [Fact]
    public void Mutant_a_step_that_makes_an_array() => Assert.NotEqual((0L, 0L), Least("full", step => GC.KeepAlive(new int[1])));

    // The least of some batches of steps: the test runner's own threads may allocate beside one of them, a step would in all.
    private static (long Thread, long Process) Least(string policy, Action<int> also)
    {
        using ReferenceBackend backend = new(2);
        using Model model = Model.Open(EngineFixture.Demo, backend);
        using Engine engine = new(model, new() { Chunk = 64, Window = 16, MaxTokens = 512 });
        using KvCache cache = engine.CreateCache();
        engine.Prefill(cache, 0, Ids.Prompt(model, 0, 60), EvictionPolicy.Parse(policy));
        Sampler sampler = new(SamplingOptions.Greedy, model.Config.VocabSize);
        int[] sequence = [0], id = [sampler.Next(engine.Logits(0))], row = [0];
        (long thread, long process) = (long.MaxValue, long.MaxValue);
        for (int batch = 0; batch < 3; batch++)
        {
            long threadBefore = GC.GetAllocatedBytesForCurrentThread(), processBefore = GC.GetTotalAllocatedBytes(precise: true);
            for (int step = 0; step < Steps; step++)
            {
                engine.Forward(cache, sequence, id, row);
                id[0] = sampler.Next(engine.Logits(0));
                also(step);
            }

            process = Math.Min(process, GC.GetTotalAllocatedBytes(precise: true) - processBefore);
            thread = Math.Min(thread, GC.GetAllocatedBytesForCurrentThread() - threadBefore);
        }

        return (thread, process);
    }
}
