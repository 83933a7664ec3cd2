using System.Text;
using System.Text.RegularExpressions;
using KvIL.Cli;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary>Models that cannot be used: one sentence, exit code 1, from both commands that open them.</summary>
public sealed partial class BadModelTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Nothing_there() => Refused("no such file or directory", _directory.PathOf("none"));

    [Fact]
    public void A_file_of_no_format() => Refused("neither a GGUF file nor a llama2.c file", _directory.Write("model.txt", "x"));

    [Fact]
    public void An_empty_directory() => Refused("config.json", _directory.Path);

    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors")]
    [InlineData("tokenizer.json")]
    public void An_empty_file(string name)
    {
        string copy = ModelCopy.Whole(_directory);
        File.WriteAllBytes(Path.Combine(copy, name), []);
        Refused($"{Regex.Escape(name)}.*empty", copy);
    }

    [Theory]
    [InlineData("config.json", 300)]
    [InlineData("model.safetensors", 5)]
    [InlineData("model.safetensors", 2000)]
    [InlineData("model.safetensors", 7_000_000)]
    [InlineData("tokenizer.json", 9000)]
    public void A_truncated_file(string name, int length)
    {
        string copy = ModelCopy.Whole(_directory);
        using (FileStream file = File.OpenWrite(Path.Combine(copy, name)))
        {
            file.SetLength(length);
        }

        Refused(Regex.Escape(name), copy);
    }

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(1UL << 40)]
    [InlineData(0UL)]
    public void A_header_length_that_lies(ulong length)
    {
        string copy = ModelCopy.Whole(_directory);
        ModelCopy.WriteWeights(copy, Encoding.UTF8.GetBytes(ModelCopy.Header()), length);
        Refused("model.safetensors.*header", copy);
    }

    [Theory]
    [InlineData(@"""data_offsets"":\[0,\d+\]", @"""data_offsets"":[0,9223372036854775807]", "model.safetensors")]
    [InlineData(@"""data_offsets"":\[0,", @"""data_offsets"":[-2,", "model.safetensors")]
    [InlineData(@"""shape"":\[\d+", @"""shape"":[-256", "model.safetensors")]
    [InlineData(@"""shape"":\[\d+", @"""shape"":[9223372036854775807", "model.safetensors")]
    [InlineData(@"""dtype"":""BF16""", @"""dtype"":""I64""", "I64|model.safetensors")]
    [InlineData(@"""dtype"":""BF16""", @"""dtype"":""XYZ""", "XYZ")]
    [InlineData(@"model\.norm\.weight", "model.layers.0.input_layernorm.weight", "input_layernorm")]
    [InlineData(@"model\.norm\.weight", "another.name", "model.norm.weight")]
    [InlineData("^{", "{\"a\":" + "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "tensor 'a': found an array")]
    public void A_hostile_header(string what, string with, string pattern)
    {
        string header = ModelCopy.Header();
        string changed = new Regex(what).Replace(header, with.Replace("$", "$$", StringComparison.Ordinal), 1);
        Assert.NotEqual(header, changed);
        string copy = ModelCopy.Whole(_directory);
        ModelCopy.WriteWeights(copy, Encoding.UTF8.GetBytes(changed));
        Refused(pattern, copy);
    }

    [Theory]
    [InlineData("\"vocab_size\": 1024", "\"vocab_size\": 1000", "vocabulary|embed_tokens")]
    [InlineData("\"num_hidden_layers\": 6", "\"num_hidden_layers\": 7", "layers.6")]
    [InlineData("\"num_hidden_layers\": 6", "\"num_hidden_layers\": -1", "num_hidden_layers")]
    [InlineData("\"hidden_size\": 256", "\"hidden_size\": 99999999999999999999", "hidden_size")]
    [InlineData("\"hidden_size\": 256", "\"hidden_size\": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "deeper than 64")]
    [InlineData("\"num_key_value_heads\": 4", "\"num_key_value_heads\": 3", "num_key_value_heads")]
    [InlineData("LlamaForCausalLM", "NoSuchModel", "NoSuchModel")]
    public void A_config_that_does_not_fit(string what, string with, string pattern)
    {
        string copy = ModelCopy.Whole(_directory);
        string config = Path.Combine(copy, "config.json");
        string changed = File.ReadAllText(config).Replace(what, with, StringComparison.Ordinal);
        Assert.Contains(with, changed, StringComparison.Ordinal);
        File.WriteAllText(config, changed);
        Refused(pattern, copy);
    }

    [Fact]
    public void A_tokenizer_that_does_not_fit_the_vocabulary()
    {
        string copy = ModelCopy.Whole(_directory);
        string tokenizer = Path.Combine(copy, "tokenizer.json");
        string text = File.ReadAllText(tokenizer);
        string changed = LastId().Replace(text, ": 5000$1", 1);
        Assert.NotEqual(text, changed);
        File.WriteAllText(tokenizer, changed);
        Refused("ids up to 5000, but the model's vocabulary ends at 1023", copy);
    }

    [Fact]
    public void A_prompt_for_a_model_without_a_tokenizer() =>
        Tool.Refuses(App.Failure, "no tokenizer", "run", ModelCopy.WithoutTokenizer(_directory), "-p", "x");

    [Fact]
    public void A_prompt_that_is_no_text_file()
    {
        Tool.Refuses(App.Failure, "no such file", "run", Tool.Model, "-f", _directory.PathOf("none"));
        Tool.Refuses(App.Failure, "cannot be read", "run", Tool.Model, "-f", _directory.Path);
        Tool.Refuses(App.Failure, "byte 3 is not UTF-8", "run", Tool.Model, "-f", _directory.Write("bytes", [97, 98, 99, 0xff, 100]));
    }

    [Fact]
    public void A_prompt_longer_than_the_context() => Tool.Refuses(
        App.Failure, "context is 2048", "run", Tool.Model, "-f", Repo.PathOf("models/kvil-demo/text-grimm.txt"));

    [Fact]
    public void A_budget_above_the_context()
    {
        Tool.Refuses(App.Failure, "2049 rows .* context of 2048", "run", Tool.Model, "-p", "x", "--evict", "snapkv", "--budget", "2049");
        Tool.Refuses(App.Failure, "2049 rows .* context of 2048", "run", Tool.Model, "-p", "x", "--evict", "sliding:budget=2049");
    }

    [Theory]
    [InlineData("1M", "0 of cache")] // the weights alone
    [InlineData("7700000", "of cache")] // weights, and a little
    public void More_than_the_memory_limit(string limit, string pattern) =>
        Tool.Refuses(App.Failure, $"{pattern}.*the memory limit allows", "run", Tool.Model, "-p", "Once upon a time", "--memory-limit", limit);

    [Fact]
    public void A_process_says_it_without_a_stack_trace()
    {
        string copy = ModelCopy.Whole(_directory);
        File.WriteAllText(Path.Combine(copy, "config.json"), "{");
        Tool.AssertRefusal(App.Failure, "config.json", Tool.Launch("run", copy, "-p", "x"));
    }

    private static void Refused(string pattern, string model)
    {
        Tool.Refuses(App.Failure, pattern, "inspect", model);
        Tool.Refuses(App.Failure, pattern, "run", model, "-p", "x");
    }

    // The vocabulary's largest id, where it stands in the vocabulary.
    [GeneratedRegex(@": ?1023([,}\s])")]
    private static partial Regex LastId();
}
