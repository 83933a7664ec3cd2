using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Generation;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Reference;
using Xunit;

namespace KvIL.Tests.Engines;

/// <summary>The need that is checked before anything is allocated is an upper bound of what is then allocated, and a close one.</summary>
/// <remarks>Cache bytes: exact where every store is cut, and at most one full store above where some are not. Scratch: at most twice what is used.</remarks>
public sealed class MemoryNeedTests
{
    [Theory]
    [InlineData("full", 64, 1)]
    [InlineData("sliding:budget=10%", 64, 2)]
    [InlineData("snapkv:window=16,budget=20%,slack=5", 512, 2)]
    [InlineData("ada-snapkv:window=16,budget=20%", 8, 3)]
    [InlineData("ada-pyramid:window=16,budget=40%,beta=20", 16, 5)]
    [InlineData("pyramidkv:window=8,budget=90%", 100, 1)]
    [InlineData("knorm:budget=30%", 64, 1)]
    [InlineData("snapkv:window=16,budget=20%,slack=5,heads=4:3:2:1/1:1:1:1/1:2:3:4/5:5:5:5/0:0:1:1/9:1:1:1", 64, 2)]
    [InlineData("ada-expected:budget=30%,slack=4", 64, 2)]
    [InlineData("global-h2o:budget=20%,window=8", 64, 2)]
    [InlineData("cake:budget=25%,slack=3", 32, 1)]
    [InlineData("snapkv:window=16,budget=20%,slack=5", 64, 2, 50)]
    [InlineData("expected:budget=20%", 16, 1, 30)]
    [InlineData("sliding:positions=consecutive,budget=32,slack=4", 16, 1, 40)]
    public void Need_bounds_the_peak(string policy, int chunk, int threads, int evictEvery = 0) => Holds(policy, chunk, threads, need => need, evictEvery);

    [Fact]
    public void Mutant_a_need_without_the_full_store() => Assert.ThrowsAny<Xunit.Sdk.XunitException>(
        () => Holds("snapkv:window=16,budget=20%", 64, 1, need => need with { KvPeak = need.KvPeak - (need.KvFull / 6) }));

    private static void Holds(string text, int chunk, int threads, Func<MemoryNeed, MemoryNeed> change, int evictEvery = 0)
    {
        const int New = 12;
        using ReferenceBackend backend = new(threads);
        using Model model = Model.Open(EngineFixture.Demo, backend);
        int[] prompt = Ids.Prompt(model, 2, 200);
        EvictionPolicy policy = EvictionPolicy.Parse(text);
        EngineOptions options = new() { Chunk = chunk, MaxTokens = prompt.Length + New, Window = Math.Max(policy.NeedsAllQueries ? 16 : policy.Queries(64), 1), RemembersPrompt = policy.NeedsAllQueries, MeasureLoss = policy.UsesScores };
        using (Engine engine = new(model, options))
        {
            MemoryNeed need = change(MemoryNeed.Of(engine, policy, prompt.Length, New, evictEvery: evictEvery));
            using KvCache cache = engine.CreateCache();
            backend.Memory.ResetPeaks();
            engine.Prefill(cache, 0, prompt, policy, New, evictEvery: evictEvery);
            for (int step = 0; step < New; step++) engine.Forward(cache, [0], [Sampler.ArgMax(engine.Logits(0))], [0]);
            long peak = backend.Memory.Peak(MemoryKind.Cache), working = backend.Memory.Peak(MemoryKind.Scratch) + backend.Memory.Peak(MemoryKind.Activations);
            bool everyStoreCut = policy.Layers == LayerAllocation.Uniform && evictEvery == 0;
            Assert.Equal(backend.Memory.Current(MemoryKind.Weights), need.Weights);
            Assert.InRange(need.KvPeak - peak, 0, everyStoreCut ? 0 : need.KvFull / model.Config.NumLayers);
            Assert.True(working <= need.Working, $"{working} bytes of scratch at the peak, {need.Working} said to be needed");
            Assert.InRange(need.Working, working, 2 * working);
            Assert.Equal(cache.SizeBytes, backend.Memory.Current(MemoryKind.Cache));
        }

        Assert.All([MemoryKind.Cache, MemoryKind.Scratch, MemoryKind.Activations], kind => Assert.Equal(0, backend.Memory.Current(kind)));
    }
}
