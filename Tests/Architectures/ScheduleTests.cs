using KvIL.Eviction;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Reference;
using KvIL.Sharing;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Architectures;

/// <summary>However a prompt goes through a model, and whoever shares its cache, the result is the same; for every architecture.</summary>
public sealed class ScheduleTests
{
    private const int Tokens = 77;

    // The recordings' own difference between chunks and whole is at most 3e-5; logits have a standard deviation of 2.
    private const double Rounding = 3e-4;

    private static readonly EvictionPolicy s_evicting = EvictionPolicy.Parse("ada-snapkv:budget=50%,window=8");

    public static TheoryData<string> Folders => TinyRandom.Folders;

    [Theory]
    [MemberData(nameof(Folders))]
    public void Chunks_layers_and_shared_stores_agree_with_one_pass(string folder)
    {
        using ReferenceBackend backend = new(1);
        using Model model = Model.Open(TinyRandom.PathOf(folder), backend);
        float[] whole = Prefill(model, Tokens, EvictionPolicy.Full);
        Near(whole, Prefill(model, 7, EvictionPolicy.Full));

        // Evicting, a prompt goes layer by layer; what is cut was read before.
        Near(whole, Prefill(model, 16, s_evicting));

        if (model.Config.Sharing is not null || model.Config.Layers.Any(layer => layer.HeadDim is not null))
        {
            return; // shares already, or has stores that no other layer can read
        }

        int[] sources = [.. Enumerable.Range(0, model.Config.NumLayers).Select(layer => layer - (layer % 2))];
        using Model shared = Model.Open(TinyRandom.PathOf(folder), backend, SharingMap.FromSources(sources));
        float[] sharedWhole = Prefill(shared, Tokens, EvictionPolicy.Full);
        Near(sharedWhole, Prefill(shared, 9, EvictionPolicy.Full));
        Near(sharedWhole, Prefill(shared, 32, s_evicting));
        Assert.True(whole.Zip(sharedWhole, (a, b) => Math.Abs(a - b)).Max() > 100 * Rounding);
    }

    [Theory]
    [InlineData("llama-rope-dynamic")]
    [InlineData("phi3-longrope")]
    [InlineData("gemma3")]
    [InlineData("gemma3n")]
    [InlineData("gemma4")]
    [InlineData("hunyuan-cla")]
    public void A_batch_of_two_lengths_equals_each_alone(string folder)
    {
        using ReferenceBackend backend = new(1);
        using Model model = Model.Open(TinyRandom.PathOf(folder), backend);
        (int[] a, int[] b) = (Ids(40), Ids(Tokens));
        EngineOptions options = Options(a.Length + b.Length) with { Sequences = 2, MaxLogitRows = 2 };
        using Engine engine = new(model, options);
        using KvCache cache = engine.CreateCache();
        engine.Forward(cache, [.. new int[a.Length], .. Enumerable.Repeat(1, b.Length)], [.. a, .. b], [a.Length - 1, a.Length + b.Length - 1]);
        Near(Alone(model, a), engine.Logits(0).ToArray());
        Near(Alone(model, b), engine.Logits(1).ToArray());
    }

    [Theory]
    [InlineData("gemma3n")]
    [InlineData("gemma4")]
    [InlineData("gemma4-keqv")]
    public void Rows_that_no_window_shows_may_go(string folder)
    {
        using ReferenceBackend backend = new(1);
        using Model model = Model.Open(TinyRandom.PathOf(folder), backend);
        (float[] Logits, long Rows)[] runs = [.. ((bool[])[true, false]).Select(keeps =>
        {
            using Engine engine = new(model, Options(16) with { KeepsHiddenRows = keeps });
            using KvCache cache = engine.CreateCache();
            engine.Prefill(cache, 0, Ids(60), EvictionPolicy.Full, reserve: 2);
            for (int i = 0; i < 25; i++)
            {
                engine.Forward(cache, [0], [(i * 29) % 128], [0]);
            }

            return (engine.Logits(0).ToArray(), Enumerable.Range(0, model.Transformer.Map.NumStores).Sum(store => (long)cache.Rows(store, 0)));
        })];
        Near(runs[0].Logits, runs[1].Logits);
        Assert.True(runs[1].Rows < runs[0].Rows);
    }

    private static float[] Alone(Model model, int[] ids)
    {
        using Engine engine = new(model, Options(Tokens));
        using KvCache cache = engine.CreateCache();
        engine.Forward(cache, new int[ids.Length], ids, [ids.Length - 1]);
        return engine.Logits(0).ToArray();
    }

    private static float[] Prefill(Model model, int chunk, EvictionPolicy policy)
    {
        using Engine engine = new(model, Options(chunk) with { MeasureLoss = true, Window = 8 });
        using KvCache cache = engine.CreateCache();
        IReadOnlyList<EvictionCost> costs = engine.Prefill(cache, 0, Ids(Tokens), policy, reserve: 10);
        float[] logits = engine.Logits(0).ToArray();
        if (!policy.KeepsEverything)
        {
            // Stores that only windows read are rings; the others are evicted, and each of their readers has a cost.
            int[] evicted = engine.Evicting(policy);
            Assert.Equal(model.Transformer.Map.Stores.Count(evicted.Contains), costs.Count);
            Assert.All(costs, cost => Assert.True(
                cost.Loss <= cost.Theta * 1.0001 && cost.Theta <= cost.EpsilonHead * 1.0001 && cost.EpsilonHead <= cost.Epsilon * 1.0001, $"{cost}"));
            Assert.All(evicted, store =>
                Assert.Equal(38 * model.Config.NumKvHeadsOf(model.Transformer.Map.Owner(store)), cache.Rows(store, 0)));
            for (int i = 0; i < 3; i++)
            {
                engine.Forward(cache, [0], [i + 3], [0]);
                Assert.True(engine.Logits(0).ToArray().All(float.IsFinite));
            }
        }

        return logits;
    }

    private static EngineOptions Options(int chunk) => new()
    {
        MaxTokens = Tokens + 10, BeyondContext = true, Chunk = chunk, RowType = DType.F32,
    };

    private static int[] Ids(int count) => [.. Enumerable.Range(0, count).Select(i => ((i * 37) + 11) % 128)];

    private static void Near(float[] expected, float[] actual) =>
        Assert.InRange(expected.Zip(actual, (a, b) => (double)Math.Abs(a - b)).Max(), 0, Rounding);
}
