using KvIL.Cli.Golden.Lckv;
using KvIL.Conformance.Generators;
using KvIL.Conformance.Theorems.Sharing;
using KvIL.Conformance.Theory.Sharing;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Sharing;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Sharing;

/// <summary>Every law of sharing on the engine; and the invariants of memory, which only an engine has.</summary>
public sealed class EngineSharingTests
{
    private const int Cases = 12, Seed = 20250101;

    private static readonly string[] s_laws = [.. SharingLaws.All.OfType<SharingLaw<SharedRunCase>>().Select(law => law.ToString())];

    public static TheoryData<string> Laws => [.. s_laws];

    [Theory]
    [MemberData(nameof(Laws))]
    public void Law_holds_on_the_engine(string law)
    {
        using EngineMath engine = new();
        SharingLawTests.Holds(engine, law, Cases, Seed);
    }

    [Fact]
    [Trait("Length", "Long")]
    public void Laws_hold_on_the_engine_in_many_cases()
    {
        using EngineMath engine = new();
        foreach (string law in s_laws) SharingLawTests.Holds(engine, law, 300, Seed + 1000);
    }

    // C9: no map and the identity are the same plans.
    [Fact]
    public void The_identity_is_a_plain_transformer_to_the_bit()
    {
        using EngineMath engine = new();
        SharedModel model = new(SharedLlamaWeights.Random(3, SharedModel.Vocabulary, 5), SharingMap.Identity(3));
        using Model shared = engine.Open(model);
        Assert.Equal(SharingMap.Identity(3), shared.Transformer.Map);
        int[] text = [3, 1, 4, 1, 5, 9, 2, 6];
        double[][] whole = engine.Run(model, text, PrefillStrategy.Default, []);
        Assert.Equal(whole, engine.Run(model, text, PrefillStrategy.UntilConverged(0), []));
        ForwardLaws.Same(engine, "logits", model.Definition().Sequential(text), whole);
    }

    // C22, C23, C25: a store for each owner and nothing for readers; bytes as the specs say; one row a token, head and store.
    [Theory]
    [InlineData("0_1_2_2_2_2")]
    [InlineData("0_0_2_2_4_4")]
    [InlineData("0_4x4_5")]
    [InlineData("5x6")]
    [InlineData("0_2_1_3_4_5")]
    public void Bytes_are_those_of_the_owners(string text)
    {
        using EngineMath engine = new();
        SharingMap map = SharingMap.Parse(text, allowsNonIdempotent: true);
        using Model model = engine.Open(new(SharedLlamaWeights.Random(map.NumLayers, SharedModel.Vocabulary, 8), map));
        using Engine compiled = new(model, new() { MaxTokens = 32, RowType = DType.F32, Chunk = 32 });
        using KvCache cache = compiled.CreateCache();
        compiled.Forward(cache, new int[20], [.. Enumerable.Range(0, 20).Select(i => i % SharedModel.Vocabulary)], [19]);
        long row = new StoreSpec(1, 2, 4, DType.F32, 0).RowBytes;
        Assert.Equal(20 * 2 * row * map.NumStores, cache.RowBytes);
        Assert.Equal(map.NumStores * new StoreSpec(1, 2, 4, DType.F32, ((StoreSpec)cache.Store(0).Spec).Rows).SizeBytes, cache.SizeBytes);
        for (int store = 0; store < map.NumStores; store++) Assert.Equal(40, cache.Rows(store, 0));
        string[] names = [.. model.Transformer.Weights.Keys.Where(name => name.Contains("k_proj", StringComparison.Ordinal) || name.Contains("v_proj", StringComparison.Ordinal))];
        Assert.Equal(2 * map.NumStores, names.Length); // V6: projections of owners only
        Assert.All(Enumerable.Range(0, map.NumStores), store => Assert.Contains($"model.layers.{map.Owner(store)}.self_attn.k_proj.weight", names));
    }

    // C20: trailing layers that only read run for the last token alone; its logits and all stores are as if they ran for all.
    [Theory]
    [InlineData("0_1_1_1_1")]
    [InlineData("0_0_0_0")]
    [InlineData("0_1_0_1_1")]
    [InlineData("0_2_2_2_2")]
    [InlineData("0_1_2")]
    public void Fast_prefill_changes_neither_the_last_logits_nor_the_stores(string text)
    {
        using EngineMath engine = new();
        SharingMap map = SharingMap.Parse(text);
        SharedModel shared = new(SharedLlamaWeights.Random(map.NumLayers, SharedModel.Vocabulary, 4), map);
        int[] tokens = [7, 3, 11, 2, 16, 5, 5, 1, 9, 12, 8];
        using Model model = engine.Open(shared);
        (float[] Logits, double[][][] Rows) Prefilled(bool fast)
        {
            using Engine compiled = new(model, new() { MaxTokens = 16, RowType = DType.F32, Chunk = 4, FastPrefill = fast });
            using KvCache cache = compiled.CreateCache();
            compiled.Prefill(cache, 0, tokens, KvIL.Eviction.EvictionPolicy.Full);
            return (compiled.Logits(0).ToArray(), [.. Enumerable.Range(0, 2 * map.NumStores).Select(i => EngineRun.Rows(compiled, cache, i / 2, i % 2 == 0))]);
        }

        (float[] logits, double[][][] rows) = Prefilled(fast: true);
        (float[] slow, double[][][] slowRows) = Prefilled(fast: false);
        Assert.Equal(slow, logits);
        Assert.Equal(slowRows, rows);
        ForwardLaws.Same(engine, "the last token", [shared.Definition().Sequential(tokens)[^1]], [[.. logits.Select(logit => (double)logit)]]);
    }

    // C24: a fork goes on from the rows that are there.
    [Theory]
    [InlineData("0_2x2")]
    [InlineData("2x3")]
    [InlineData("0x3")]
    public void A_fork_goes_on_as_its_origin_would(string text)
    {
        using EngineMath engine = new();
        SharedModel shared = new(SharedLlamaWeights.Random(3, SharedModel.Vocabulary, 21), SharingMap.Parse(text));
        int[] tokens = [7, 3, 11, 2, 16, 5, 5, 1, 9, 12];
        double[][] exact = shared.Definition().Sequential(tokens);
        using Model model = engine.Open(shared);
        using Engine compiled = new(model, new() { MaxTokens = 16, RowType = DType.F32, MaxLogitRows = 1 });
        using KvCache cache = compiled.CreateCache();
        compiled.Forward(cache, new int[6], tokens.AsSpan(0, 6), []);
        using KvCache fork = compiled.Fork(cache, 0, KvIL.Eviction.EvictionPolicy.Full, 10, out _);
        foreach (KvCache each in (KvCache[])[fork, cache, fork])
        {
            if (each.Tokens(0) == 10) continue;
            for (int t = 6; t < 10; t++)
            {
                compiled.Forward(each, [0], [tokens[t]], [0]);
                double[] row = [.. compiled.Logits(0).ToArray().Select(logit => (double)logit)];
                ForwardLaws.Same(engine, $"token {t}", [exact[t]], [row]);
            }
        }
    }
}
