using System.Text.Json.Nodes;
using KvIL.Inference.Files;
using Xunit;

namespace KvIL.Tests.Files;

public sealed class ModelConfigTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void The_demo_config_is_read()
    {
        ModelConfig config = ModelConfig.Parse(Repo.PathOf("models/kvil-demo/config.json"));
        Assert.Equal(
            new ModelConfig
            {
                Architecture = "LlamaForCausalLM",
                ModelType = "llama",
                HiddenSize = 256,
                IntermediateSize = 512,
                NumLayers = 6,
                NumQueryHeads = 8,
                NumKvHeads = 4,
                HeadDim = 32,
                VocabSize = 1024,
                MaxPositions = 2048,
                RmsNormEps = 1e-5,
                Layers = config.Layers,
                TieWordEmbeddings = true,
                BosTokenId = 0,
                EosTokenIds = config.EosTokenIds,
                TorchDtype = "bfloat16",
            },
            config);
        Assert.Equal([0], config.EosTokenIds);
        Assert.Equal(Enumerable.Repeat(new LayerConfig(new RopeConfig(10000, 32)), 6), config.Layers);
    }

    [Fact]
    public void Absent_fields_have_the_defaults_of_the_architecture()
    {
        ModelConfig config = Parse("""
            {"architectures":["LlamaForCausalLM"],"hidden_size":64,"intermediate_size":80,"num_hidden_layers":3,
             "num_attention_heads":4,"vocab_size":128,"max_position_embeddings":256}
            """);
        Assert.Equal((4, 16, 1e-6, 10000.0), (config.NumKvHeads, config.HeadDim, config.RmsNormEps, config.Layers[2].Rope!.Theta));
        Assert.Equal((false, false, false), (config.TieWordEmbeddings, config.QkvBias, config.MlpBias));
        Assert.Null(config.BosTokenId);
        Assert.Null(config.TorchDtype);
        Assert.Empty(config.EosTokenIds);
    }

    [Fact]
    public void The_new_form_is_read()
    {
        ModelConfig config = Parse(With(
            ("rope_theta", null), ("rope_scaling", null), ("torch_dtype", null), ("dtype", "\"float16\""),
            ("rope_parameters", """{"rope_type":"default","rope_theta":500000.0}"""), ("eos_token_id", "[3, 5]")));
        Assert.Equal(500000, config.Layers[0].Rope!.Theta);
        Assert.Equal("float16", config.TorchDtype);
        Assert.Equal([3, 5], config.EosTokenIds);
    }

    [Theory]
    [InlineData("architectures", """["Qwen3MoeForCausalLM"]""", "'architectures': found 'Qwen3MoeForCausalLM', which is not known; the nearest known is Qwen3ForCausalLM, of LlamaForCausalLM, ")]
    [InlineData("architectures", "[]", "found none, expected one of LlamaForCausalLM, MistralForCausalLM")]
    [InlineData("architectures", "null", "'architectures' is missing")]
    [InlineData("architectures", "[1]", @"'architectures\[0\]': expected a string, got '1'")]
    [InlineData("hidden_size", "null", "'hidden_size' is missing")]
    [InlineData("hidden_size", "0", "'hidden_size': expected a whole number from 1 to .*, got '0'")]
    [InlineData("hidden_size", "-256", "'hidden_size': expected")]
    [InlineData("hidden_size", "1e300", "'hidden_size': expected .*'1e300'")]
    [InlineData("hidden_size", "99999999999999999999", "'hidden_size': expected")]
    [InlineData("hidden_size", "\"256\"", "got the string '256'")]
    [InlineData("num_hidden_layers", "1000000000", "'num_hidden_layers': expected")]
    [InlineData("num_key_value_heads", "3", @"a divisor of num_attention_heads \(8\), got '3'")]
    [InlineData("num_key_value_heads", "0", "'num_key_value_heads': expected a whole number from 1")]
    [InlineData("head_dim", "33", "'head_dim': expected an even number, got '33'")]
    [InlineData("vocab_size", "[]", "'vocab_size': expected .*, got an array")]
    [InlineData("rms_norm_eps", "1e999", "'rms_norm_eps': expected a number from 0 to 1")]
    [InlineData("rms_norm_eps", "-1e-5", "'rms_norm_eps': expected a number from 0 to 1")]
    [InlineData("rope_theta", "0", "'rope_theta': expected")]
    [InlineData("rope_scaling", """{"rope_type":"llama3","factor":8}""", "'rope_scaling': the field 'low_freq_factor' is missing")]
    [InlineData("rope_scaling", """{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4}""", "'rope_scaling.high_freq_factor': expected a number above low_freq_factor")]
    [InlineData("rope_scaling", """{"type":"linear"}""", "'rope_scaling': the field 'factor' is missing")]
    [InlineData("rope_scaling", """{"type":"linear","factor":0.5}""", "'rope_scaling.factor': expected a number from 1 to")]
    [InlineData("rope_scaling", """{"type":"mrope","factor":4}""", "'rope_scaling.type': found rotary positions of type 'mrope', known are 'default', 'linear'")]
    [InlineData("rope_scaling", """{"type":"dynamic","factor":1,"alpha":1000}""", "'rope_scaling.alpha': rotary positions of type 'dynamic' have no such field")]
    [InlineData("rope_scaling", """{"type":"longrope","short_factor":[1],"long_factor":[1]}""", "'rope_scaling.short_factor': expected 16 numbers, one for each pair")]
    [InlineData("rope_scaling", """{"factor":4}""", "'rope_scaling': the field 'rope_type' is missing")]
    [InlineData("rope_parameters", """{"rope_type":"proportional"}""", "'rope_parameters.rope_type': found rotary positions of type 'proportional'")]
    [InlineData("rope_parameters", """{"rope_type":"default","partial_rotary_factor":0.5}""", "'rope_parameters.partial_rotary_factor': expected 1")]
    [InlineData("partial_rotary_factor", "0.75", "'partial_rotary_factor': expected 1")]
    [InlineData("hidden_act", "\"gelu\"", "'hidden_act': found 'gelu', known are 'silu' and 'gelu_pytorch_tanh'")]
    [InlineData("quantization_config", """{"quant_method":"gptq"}""", "quantized weights are not supported")]
    [InlineData("tie_word_embeddings", "1", "'tie_word_embeddings': expected true or false, got '1'")]
    [InlineData("bos_token_id", "1024", "'bos_token_id': expected a whole number from 0 to 1023")]
    [InlineData("eos_token_id", "[0,-1]", @"'eos_token_id\[1\]': expected")]
    [InlineData("eos_token_id", "{}", "'eos_token_id': expected .*, got an object")]
    [InlineData("torch_dtype", "\"\\ud800\"", "'torch_dtype': expected valid Unicode, got a string with broken characters")]
    public void A_bad_field_is_refused(string field, string value, string pattern)
    {
        string path = _directory.Write("config.json", With((field, value)));
        Refusal.Is(pattern, path, () => ModelConfig.Parse(path));
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("{", "not JSON.* at line 1, byte 2 of the line")]
    [InlineData("{\n\"rms_norm_eps\": NaN}", "not JSON.* at line 2, byte 17 of the line")]
    [InlineData("[]", "expected an object, got an array")]
    [InlineData("{\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":1,\"hidden_size\":2}", "'hidden_size': the field stands there twice")]
    public void A_bad_file_is_refused(string text, string pattern)
    {
        string path = _directory.Write("config.json", text);
        Refusal.Is(pattern, path, () => ModelConfig.Parse(path));
    }

    [Fact]
    public void Deep_nesting_is_refused()
    {
        string deep = string.Concat(Enumerable.Repeat("[", 100_000));
        string path = _directory.Write("config.json", With(("x", "0")).Replace("\"x\": 0", $"\"x\": {deep}", StringComparison.Ordinal));
        Refusal.Is("nested deeper than 64 levels", path, () => ModelConfig.Parse(path));
    }

    [Fact]
    public void A_head_dim_that_does_not_follow_from_the_sizes_is_refused()
    {
        string path = _directory.Write("config.json", With(("head_dim", null), ("hidden_size", "260")));
        Refusal.Is("hidden_size 260 over 8 heads gives no even head_dim", path, () => ModelConfig.Parse(path));
    }

    /// <summary>The demo's config with some fields replaced, each by a JSON text or, for null, by nothing.</summary>
    internal static string With(params (string Field, string? Value)[] changes) =>
        Changed(Repo.PathOf("models/kvil-demo/config.json"), changes);

    /// <summary>A config with some fields replaced, each by a JSON text or, for null, by nothing.</summary>
    internal static string Changed(string path, params (string Field, string? Value)[] changes)
    {
        JsonObject config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        var raw = new List<string>();
        foreach ((string field, string? value) in changes)
        {
            config.Remove(field);
            if (value is not null)
            {
                raw.Add($"\"{field}\": {value}");
            }
        }

        raw.AddRange(config.Select(pair => $"\"{pair.Key}\": {pair.Value?.ToJsonString() ?? "null"}"));
        return $"{{{string.Join(",\n", raw)}}}";
    }

    private ModelConfig Parse(string json) => ModelConfig.Parse(_directory.Write("config.json", json));
}
