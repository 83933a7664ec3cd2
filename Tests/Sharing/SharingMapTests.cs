using KvIL.Inference.Files;
using KvIL.Sharing;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Sharing;

/// <summary>What is refused, and adapters of released models.</summary>
public sealed class SharingMapTests
{
    [Theory]
    [InlineData("", "token 0 of the map is ''")]
    [InlineData("0_1_", "token 2 of the map is ''")]
    [InlineData("0__1", "token 1 of the map is ''")]
    [InlineData("0_-1", "token 1 of the map is '-1'")]
    [InlineData("0_1i", "token 1 of the map is '1i'")]
    [InlineData("0x0", "token 0 of the map is '0x0'")]
    [InlineData("0x", "token 0")]
    [InlineData("99999999999", "token 0")]
    [InlineData("0_2", "layer 1 reads layer 2, and there are layers 0 to 1")]
    [InlineData("1_2s_0", "layer 0 reads layer 1, which reads layer 2 and not itself")]
    [InlineData("0x2000000000", "more than 16384 layers")]
    [InlineData("0x16384_0x16384", "more than 16384 layers")]
    public void Texts_that_are_no_maps_are_refused(string text, string message)
    {
        FormatException e = Assert.Throws<FormatException>(() => LayerTypes.Parse(text));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Refusal.IsOneSentence(e.Message);
    }

    [Theory]
    [InlineData("sandwich-middle", "is no sharing map")]
    [InlineData("calzone-top:2", "is no sharing map")]
    [InlineData("pizza-top:0", "is no sharing map")]
    [InlineData("pizza-top:7", "asks for 7 stores, and a model of 6 layers has 1 to 6")]
    [InlineData("lasagna-top:1,pin-first", "ask for 2 or more")]
    [InlineData("pizza-top:2,pin-last", "is no sharing map")]
    [InlineData("0_0_0", "has 3 layers, and the model has 6")]
    [InlineData("", "is no sharing map")]
    public void Options_that_fit_no_model_are_refused(string text, string message)
    {
        FormatException e = Assert.Throws<FormatException>(() => LayerTypes.Parse(text, 6));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Refusal.IsOneSentence(e.Message);
    }

    [Fact]
    public void Configurations_are_read_as_they_are_written()
    {
        foreach (Partition partition in Enum.GetValues<Partition>())
        {
            foreach (Position position in Enum.GetValues<Position>())
            {
                SharingConfiguration c = new(partition, position, 5, PinsFirstLayer: position == Position.Top);
                Assert.Equal(c, SharingConfiguration.Parse(c.ToString()));
            }
        }

        Assert.Equal("sandwich-middle:11", SharingConfiguration.Nine(11)[4].ToString());
        Assert.Equal(SharingMap.Parse("0_10x20_21"), LayerTypes.Parse("sandwich-middle:3", 22).Map);
        Assert.Equal("0_1s_1_0", LayerTypes.Parse("0_1s_1_0").ToString());
    }

    // V1 to V7 of the specification; V5 is law C8b, V6 is also a test of the engine's weights.
    [Fact]
    public void Models_that_a_map_does_not_fit_are_named_in_one_sentence()
    {
        SharingMap map = SharingMap.Parse("0_0_2");
        SharedLayer plain = new(8, 2, 64, 64) { Rotation = "theta 10000", KeyNorm = "per head" };
        SharedLayer[] With(int layer, Func<SharedLayer, SharedLayer> change) => [.. Enumerable.Range(0, 3).Select(i => i == layer ? change(plain) : plain)];
        Assert.Null(map.Problem(With(0, l => l), null));
        void Problem(string expected, SharingMap m, SharedLayer[] layers, PrefillStrategy? prefill = null)
        {
            string? problem = m.Problem(layers, prefill);
            Assert.Contains(expected, problem, StringComparison.Ordinal);
            Refusal.IsOneSentence(problem!);
        }

        Problem("the map has 3 layers and the model 2", map, [plain, plain]);
        Problem("layer 0 owns a store and reads layer 1", SharingMap.FromSources([1, 0, 2], allowsNonIdempotent: true), With(0, l => l), PrefillStrategy.Default);
        Assert.Null(SharingMap.FromSources([1, 0, 2], allowsNonIdempotent: true).Problem(With(0, l => l), PrefillStrategy.Default, allowsNonIdempotent: true));
        Problem("numbers of KV heads differ, 4 and 2", map, With(1, l => l with { KvHeads = 4 }));
        Problem("channels of a key head differ, 32 and 64", map, With(1, l => l with { KeyChannels = 32 }));
        Problem("channels of a value head differ, 64 and 32", map, With(0, l => l with { ValueChannels = 32 }));
        Problem("rotations of keys differ, none and theta 10000", map, With(1, l => l with { Rotation = null }));
        Problem("norms of keys differ", map, With(0, l => l with { KeyNorm = null }));
        Problem("7 query heads, no multiple of the 2 KV heads of layer 0", map, With(1, l => l with { QueryHeads = 7 }));
        Problem("layer 1 reads layer 0 and owns no store", map, With(1, l => l with { RequiresKeyValueWeights = true }));
        Problem("layer 2 owns a store", map, With(2, l => l with { RequiresKeyValueWeights = false }));
        Problem("layer 0 reads layer 2 above it", SharingMap.Parse("2_2_2"), With(0, l => l));
        Assert.Null(SharingMap.Parse("2_2_2").Problem(With(0, l => l), PrefillStrategy.Default));
    }

    [Fact]
    public void Configs_of_released_models_give_their_maps()
    {
        Assert.Equal("0_0_2_2_4", SharingMap.FromGroupsOf(5, 2).ToString());
        Assert.Equal("0_1_1_3_3_5", SharingMap.FromReuseGroups(6, [[1, 2], [3, 4]]).ToString());
        Assert.Equal("0_1_2_2_2_5_5_7", SharingMap.FromSourceList(8, [5, 2, 7]).ToString());
        Assert.Equal("0_1_2", SharingMap.FromSourceList(3, []).ToString());
        Assert.Equal("0_1_2_3", SharingMap.FromSharedTail(["s", "f", "s", "f"], 0).ToString());
        Assert.Equal("0_1_0_1", SharingMap.FromSharedTail(["s", "f", "s", "f"], 2).ToString());
        foreach ((Action wrong, string message) in ((Action, string)[])[
            (() => SharingMap.FromSharedTail(["s", "s", "f"], 1), "layer 2 shares the store of a layer of its kind, f, and there is none among layers 0 to 1"),
            (() => SharingMap.FromSharedTail(["s", "s"], 2), "of 2 layers 0 to 1 can"), (() => SharingMap.FromReuseGroups(4, [[1, 2], [2, 3]]), "in two groups"),
            (() => SharingMap.FromReuseGroups(4, [[3, 2]]), "below it"), (() => SharingMap.FromReuseGroups(4, [[]]), "empty"), (() => SharingMap.FromReuseGroups(4, [[-1]]), "layer -1"),
            (() => SharingMap.FromSourceList(4, [4]), "names layer 4")])
        {
            Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(wrong).Message, StringComparison.Ordinal);
        }
    }

    // Any text is a map or is refused in one sentence, and a map's text is read again as the map.
    [Fact]
    public void Random_texts_are_maps_or_refused()
    {
        Random random = new(3);
        int maps = 0;
        for (int i = 0; i < 3000; i++)
        {
            string text = new([.. Enumerable.Range(0, random.Next(12)).Select(_ => "0011223_x_s_-é:"[random.Next(15)])]);
            try
            {
                LayerTypes types = LayerTypes.Parse(text, allowsNonIdempotent: random.Next(2) == 0);
                Assert.Equal(types, LayerTypes.Parse(types.ToShortString(), allowsNonIdempotent: true));
                Assert.Equal(types, LayerTypes.Parse(types.ToString(), allowsNonIdempotent: true));
                maps++;
            }
            catch (FormatException e)
            {
                Refusal.IsOneSentence(e.Message);
            }
        }

        Assert.InRange(maps, 10, 2900);
    }

    [Theory]
    [InlineData("sequential", "sequential")]
    [InlineData("exact", "exact:9")]
    [InlineData("exact:4", "exact:4")]
    [InlineData("iterative:7+2", "iterative:9")]
    [InlineData("iterative:3+0", "iterative:4")]
    [InlineData("converged:0.001,5", "converged:0.001,5")]
    [InlineData("converged:0", "converged:0")]
    public void Prefill_strategies_are_read_as_they_are_written(string text, string written)
    {
        Assert.Equal(written, PrefillStrategy.Parse(text).ToString());
        Assert.Equal(PrefillStrategy.Parse(text), PrefillStrategy.Parse(written));
    }

    [Theory]
    [InlineData("exact:0")]
    [InlineData("iterative")]
    [InlineData("iterative:7+")]
    [InlineData("converged:-1")]
    [InlineData("converged:NaN")]
    [InlineData("")]
    public void Texts_that_are_no_prefill_strategies_are_refused(string text) =>
        Refusal.IsOneSentence(Assert.Throws<FormatException>(() => PrefillStrategy.Parse(text)).Message);

    [Fact]
    public void Prefill_costs_what_the_plan_says()
    {
        foreach ((string configuration, double passes) in ((string, double)[])[
            ("pizza-bottom:11", 1), ("pizza-middle:11", 3.18), ("sandwich-middle:11", 3.18), ("pizza-top:11", 5.36), ("sandwich-top:11", 5.36), ("lasagna-top:11", 9), ("sandwich-top:3", 8.27),
            ("sandwich-middle:3", 4.64)])
        {
            Assert.Equal(passes, SharingConfiguration.Parse(configuration).Map(22).LayerPasses(9), 0.005);
        }

        Assert.Equal(5, SharingMap.ExactPasses(9));
    }

    [Fact]
    public void Configs_of_layer_condensed_models_are_read()
    {
        ModelConfig config = ModelConfig.Parse(Repo.PathOf("golden/lckv/window-top-L9/config.json"));
        Assert.Equal("0_7_7_7_7_7_7_7_8", config.Sharing!.ToString());
        Assert.Equal([null, null, 8, null, 8, null, 8, null, null], config.Layers.Select(layer => layer.Window));
        Assert.Equal((9, false), (config.TrainedPasses, config.StrictlyPast));
        Assert.True(ModelConfig.Parse(Repo.PathOf("golden/lckv/nodiag-lckv-L9/config.json")).StrictlyPast);
    }
}
