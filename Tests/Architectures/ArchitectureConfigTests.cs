using KvIL.Inference.Files;
using KvIL.Inference.Models.Architectures;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Architectures;

/// <summary>Fields that a <c>config.json</c> leaves out have the class's defaults, and those that mean nothing here are refused.</summary>
public sealed class ArchitectureConfigTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Gemma_is_tied_unless_it_says_otherwise()
    {
        Assert.All(["gemma2", "gemma3", "gemma3-new"], folder => Assert.True(Read(folder).TieWordEmbeddings));
        Assert.False(Read("gemma2", ("tie_word_embeddings", "false")).TieWordEmbeddings);
    }

    [Fact]
    public void An_absent_window_is_not_a_null_window()
    {
        Assert.Equal(4096, Read("mistral-sliding", ("sliding_window", null)).Layers[0].Window);
        Assert.Null(Read("mistral-sliding", ("sliding_window", "null")).Layers[0].Window);
        Assert.Null(Read("phi3", ("sliding_window", null)).Layers[0].Window);
        Assert.Equal([16, null, 16, null], Read("gemma2").Layers.Select(layer => layer.Window));
        Assert.Equal([null, null, 16, 16], Read("qwen2-sliding").Layers.Select(layer => layer.Window));
        Assert.Equal([null, 16, null, null], Read("qwen2-sliding", ("layer_types", """["full_attention","sliding_attention","full_attention","full_attention"]"""))
            .Layers.Select(layer => layer.Window));
    }

    [Fact]
    public void Soft_caps_have_defaults_that_null_switches_off()
    {
        Assert.Equal((50, 30), (Read("gemma2", ("attn_logit_softcapping", null)).AttentionSoftCap, Read("gemma2", ("final_logit_softcapping", null)).LogitsSoftCap));
        Assert.Null(Read("gemma2", ("attn_logit_softcapping", "null")).AttentionSoftCap);
        Assert.Null(Read("gemma3", ("final_logit_softcapping", null)).LogitsSoftCap);
    }

    [Fact]
    public void Layers_rotate_as_their_kind_says()
    {
        ModelConfig gemma = Read("gemma3");
        Assert.Equal([1e4, 1e4, 1e4, 1e4, 1e4, 1e5, 1e4, 1e4], gemma.Layers.Select(layer => layer.Rope!.Theta));
        Assert.Equal([null, new LinearScaling(8), null, new LinearScaling(8)], Read("gemma3-new").Layers.Select(layer => layer.Rope!.Scaling));
        Assert.Equal([true, false, true, false], Read("smollm3").Layers.Select(layer => layer.Rope is not null));
        Assert.Equal([true, false, true, false], Read("smollm3", ("no_rope_layers", null)).Layers.Select(layer => layer.Rope is not null));
        Assert.Equal(12, Read("phi3-longrope").Layers[0].Rope!.RotaryDim);
        Assert.Equal(64, Read("llama-rope-dynamic").MaxPositions);
        Assert.Equal(256, Read("llama-rope-yarn").MaxPositions);
    }

    [Fact]
    public void Interpolation_by_infinity_and_lengths_below_the_original_leave_frequencies_alone()
    {
        RopeConfig plain = new(10000, 8);
        Assert.Equal(plain.Frequencies().AsEnumerable(), new RopeConfig(10000, 8, new DynamicScaling(4, 32)).Frequencies(32));
        Assert.NotEqual(plain.Frequencies().AsEnumerable(), new RopeConfig(10000, 8, new DynamicScaling(4, 32)).Frequencies(33));
        Assert.All(new RopeConfig(1, 8, new LinearScaling(double.PositiveInfinity)).Frequencies(), w => Assert.Equal(0, w));
    }

    [Theory]
    [InlineData("gemma3", "attn_logit_softcapping", "50.0", "'attn_logit_softcapping': Gemma 3 has no soft cap of attention")]
    [InlineData("gemma3", "use_bidirectional_attention", "true", "attention to later tokens is not supported")]
    [InlineData("gemma2", "hidden_activation", "\"gelu\"", "'hidden_activation': found 'gelu'")]
    [InlineData("qwen2-sliding", "layer_types", "[\"full_attention\"]", "'layer_types': expected 4 entries, one a layer, got 1")]
    [InlineData("qwen3", "layer_types", "[\"chunked_attention\"]", "found 'chunked_attention', known are 'full_attention' and 'sliding_attention'")]
    [InlineData("smollm3", "no_rope_layers", "[1]", "'no_rope_layers': expected 4 entries")]
    [InlineData("granite", "logits_scaling", "0", "'logits_scaling': expected a number from")]
    [InlineData("phi3", "partial_rotary_factor", "0.1", "partial_rotary_factor 0.1 of 16 channels gives no even number")]
    [InlineData("mistral-sliding", "sliding_window", "0", "'sliding_window': expected a whole number from 1")]
    public void A_bad_field_is_refused(string folder, string field, string value, string pattern)
    {
        string path = Write(folder, (field, value));
        Refusal.Is(pattern, path, () => ModelConfig.Parse(path));
    }

    [Fact]
    public void An_unknown_architecture_is_told_the_nearest_known_one()
    {
        Assert.Equal("Gemma3nForCausalLM", KnownArchitectures.Nearest("Gemma5nForCausalLM", known => known.Class));
        Assert.Equal("MistralForCausalLM", KnownArchitectures.Nearest("MixtralForCausalLM", known => known.Class));
        Assert.Equal("qwen3", KnownArchitectures.Nearest("qwen3moe", known => known.ModelType));
    }

    private ModelConfig Read(string folder, params (string, string?)[] changes) => ModelConfig.Parse(Write(folder, changes));

    private string Write(string folder, params (string Field, string? Value)[] changes) => _directory.Write(
        "config.json", ModelConfigTests.Changed(TinyRandom.PathOf(folder) + "/config.json", changes));
}
