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

    [Fact]
    public void Layers_of_gemma_have_their_kinds_heads_and_sources()
    {
        ModelConfig config = Read("gemma4");
        Assert.Equal([8, 8, null, 8, 8, null], config.Layers.Select(layer => layer.Window));
        Assert.Equal([16, 16, 32, 16, 16, 32], Layers(config, config.HeadDimOf));
        Assert.Equal([48, 48, 48, 48, 96, 96], Layers(config, config.IntermediateSizeOf));
        Assert.Equal([0, 1, 2, 3, 3, 2], config.Sharing!.Sources.AsEnumerable());
        Assert.Equal(new PerLayerInputs(8, 128), config.PerLayerInputs);
        ModelConfig narrow = Read("gemma4", ("use_double_wide_mlp", "false"));
        Assert.All(Layers(narrow, narrow.IntermediateSizeOf), width => Assert.Equal(48, width));
        ModelConfig plain = Read("gemma4-keqv");
        Assert.Equal([4, 2, 4, 2], Layers(plain, plain.NumKvHeadsOf));
        Assert.Equal([16, 24, 16, 24], Layers(plain, plain.HeadDimOf));
        Assert.Null(plain.Sharing);
        Assert.Null(plain.PerLayerInputs);
        Assert.Equal([0, 1, 2, 3, 2, 3, 3], Read("gemma3n").Sharing!.Sources.AsEnumerable());
        Assert.Equal([0.95, 0.6, 0, 0, 0, 0, 0], Read("gemma3n").Layers.Select(layer => layer.Sparsity));
        Assert.Equal([0.5, 0.5], Read("gemma3n", ("activation_sparsity_pattern", "0.5")).Layers.Take(2).Select(layer => layer.Sparsity));
    }

    [Fact]
    public void Gemmas_last_layer_sees_everything_whatever_its_kind()
    {
        string types = """["sliding_attention","full_attention","sliding_attention","sliding_attention"]""";
        Assert.Equal([8, null, 8, null], Read("gemma4-keqv", ("layer_types", types)).Layers.Select(layer => layer.Window));
        Assert.Equal([8, 8, 8, null], Read("gemma4-keqv", ("layer_types", null)).Layers.Select(layer => layer.Window));
    }

    [Fact]
    public void A_share_factor_counts_only_with_cla()
    {
        Assert.Null(Read("hunyuan-dense").Sharing);
        Assert.Equal([0, 0, 2, 2, 4, 4], Read("hunyuan-cla").Sharing!.Sources.AsEnumerable());
        Assert.Equal([0, 0, 0, 3, 3, 3], Read("hunyuan-cla", ("cla_share_factor", "3")).Sharing!.Sources.AsEnumerable());
        Assert.Equal(QueryKeyNorm.None, Read("hunyuan-dense", ("use_qk_norm", "false")).QueryKeyNorm);
        Assert.Equal(10000 * Math.Pow(1000, 16.0 / 14), 1 / Math.Pow(Read("hunyuan-dense").Layers[0].Rope!.Frequencies()[1], 8), 1.0);
    }

    [Fact]
    public void A_nested_config_is_the_config_of_its_text_model()
    {
        ModelConfig nested = Read("gemma4-nested"), plain = Read("gemma4");
        Assert.Equal(plain.Layers, nested.Layers);
        Assert.Equal((plain.VocabSize, plain.LogitsSoftCap, plain.Sharing), (nested.VocabSize, nested.LogitsSoftCap, nested.Sharing));
        Assert.Equal(plain.EosTokenIds, nested.EosTokenIds);
    }

    [Fact]
    public void Proportional_positions_rotate_a_share_of_the_whole_heads_pairs()
    {
        RopeConfig rope = Read("gemma4").Layers[2].Rope!;
        RopeConfig whole = new(1e6, 32);
        Assert.Equal([.. whole.Frequencies().Take(4), .. Enumerable.Repeat(0.0, 12)], rope.Frequencies().AsEnumerable());
    }

    [Theory]
    [InlineData("gemma4", "enable_moe_block", "true", "'enable_moe_block': mixtures of experts are not supported")]
    [InlineData("gemma4", "use_bidirectional_attention", "\"all\"", "attention to later tokens is not supported")]
    [InlineData("gemma4", "num_kv_shared_layers", "6", "'num_kv_shared_layers': expected a whole number from 0 to 5")]
    [InlineData("gemma4", "num_kv_shared_layers", "4", "'num_kv_shared_layers': a layer from 2 on shares, and below there is none of its kind")]
    [InlineData("gemma4", "global_head_dim", "15", "'global_head_dim': expected an even number")]
    [InlineData("gemma4", "hidden_size_per_layer_input", "100000000", "'hidden_size_per_layer_input': expected a whole number")]
    [InlineData("gemma4", "rope_parameters", "{\"rope_type\":\"default\"}", "'rope_parameters': expected an entry for 'full_attention'")]
    [InlineData("gemma4-keqv", "num_global_key_value_heads", "3", "expected a divisor of num_attention_heads")]
    [InlineData("gemma4-nested", "text_config", null, "the field 'text_config' is missing")]
    [InlineData("gemma3n", "intermediate_size", "[48]", "'intermediate_size': expected 7 entries, one a layer, got 1")]
    [InlineData("gemma3n", "intermediate_size", "[]", "'intermediate_size': expected 7 entries, one a layer, got 0")]
    [InlineData("gemma3n", "activation_sparsity_pattern", "[1,0,0,0,0,0,0]", "expected a number from 0 to 0.999999")]
    [InlineData("gemma3n", "altup_active_idx", "4", "'altup_active_idx': expected a whole number from 0 to 3")]
    [InlineData("gemma3n", "num_kv_shared_layers", "7", "'num_kv_shared_layers': expected a whole number from 0 to 6")]
    [InlineData("hunyuan-cla", "cla_share_factor", "0", "'cla_share_factor': expected a whole number from 1")]
    [InlineData("hunyuan-dense", "rope_scaling", "{\"type\":\"dynamic\",\"alpha\":1000.0,\"factor\":2.0}", "'rope_scaling.factor': expected a number from 1 to 1")]
    [InlineData("hunyuan-dense", "rope_scaling", "{\"type\":\"linear\",\"alpha\":1000.0}", "'rope_scaling.type': expected 'dynamic', since there is an alpha")]
    [InlineData("llama-rope-dynamic", "rope_scaling", "{\"type\":\"dynamic\",\"alpha\":1000.0,\"factor\":2.0}", "have no such field")]
    public void A_bad_field_of_a_model_that_shares_is_refused(string folder, string field, string? value, string pattern)
    {
        string path = Write(folder, (field, value));
        Refusal.Is(pattern, path, () => ModelConfig.Parse(path));
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

    private static IEnumerable<int> Layers(ModelConfig config, Func<int, int> of) => Enumerable.Range(0, config.NumLayers).Select(of);

    private ModelConfig Read(string folder, params (string, string?)[] changes) => ModelConfig.Parse(Write(folder, changes));

    private string Write(string folder, params (string Field, string? Value)[] changes) => _directory.Write(
        "config.json", ModelConfigTests.Changed(TinyRandom.PathOf(folder) + "/config.json", changes));
}
