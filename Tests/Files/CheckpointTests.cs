using KvIL.Inference.Files;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Files;

public sealed class CheckpointTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void The_demo_opens()
    {
        string directory = Repo.PathOf("models/kvil-demo");
        using Checkpoint checkpoint = Checkpoint.Open(directory);
        Assert.Equal(directory, checkpoint.Path);
        Assert.Equal(6, checkpoint.Config.NumLayers);
        Assert.Equal(2L * 3_804_416, checkpoint.WeightBytes);
        Assert.Equal(Path.Combine(directory, "tokenizer.json"), checkpoint.TokenizerPath);
        FileTensor query = checkpoint.Require("model.layers.5.self_attn.q_proj.weight", 256, 256);
        Assert.Equal(DType.BF16, query.Type);
    }

    [Fact]
    public void Require_refuses_a_missing_tensor_and_another_shape()
    {
        string directory = Repo.PathOf("models/kvil-demo");
        using Checkpoint checkpoint = Checkpoint.Open(directory);
        Refusal.Is(
            @"the tensor 'lm_head.weight' \[1024, 256\] is missing", directory,
            () => checkpoint.Require("lm_head.weight", 1024, 256));
        Refusal.Is(
            @"'model.norm.weight' at byte offset \d+: expected BF16 \[257\], got BF16 \[256\]",
            Path.Combine(directory, "model.safetensors"), () => checkpoint.Require("model.norm.weight", 257));
    }

    [Fact]
    public void Require_refuses_a_type_that_KvIL_does_not_compute_with()
    {
        WriteConfig();
        _directory.Write("model.safetensors", SafeTensorsBytes.Of(
            """{"t":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}""", 8));
        using Checkpoint checkpoint = Checkpoint.Open(_directory.Path);
        Refusal.Is(
            @"expected F32, F16, BF16, I32, .*got I64 \[1\]", _directory.Path, () => checkpoint.Require("t", 1));
    }

    [Fact]
    public void Shards_are_joined_and_tensors_without_an_entry_are_left_out()
    {
        WriteConfig();
        _directory.Write("x-1.safetensors", SafeTensorsBytes.OfNames("a", "b", "unlisted"));
        _directory.Write("x-2.safetensors", SafeTensorsBytes.OfNames("c"));
        WriteIndex("""{"a":"x-1.safetensors","c":"x-2.safetensors","b":"x-1.safetensors"}""");
        using Checkpoint checkpoint = Checkpoint.Open(_directory.Path);
        Assert.Equal(["a", "b", "c"], checkpoint.Tensors.Keys.Order());
        Assert.Equal(24, checkpoint.WeightBytes);
        Assert.Equal(_directory.PathOf("x-2.safetensors"), checkpoint.Require("c", 2).Path);
        Assert.Null(checkpoint.TokenizerPath);
    }

    [Fact]
    public void End_tokens_of_the_generation_config_replace_those_of_the_config()
    {
        WriteConfig();
        _directory.Write("model.safetensors", SafeTensorsBytes.OfNames("a"));
        _directory.Write("generation_config.json", """{"eos_token_id":[7,9],"do_sample":false}""");
        using (Checkpoint checkpoint = Checkpoint.Open(_directory.Path))
        {
            Assert.Equal([7, 9], checkpoint.Config.EosTokenIds);
        }

        string path = _directory.Write("generation_config.json", """{"eos_token_id":5000}""");
        Refusal.Is("'eos_token_id': expected", path, () => Checkpoint.Open(_directory.Path));
    }

    [Theory]
    [InlineData("""{"a":"../x.safetensors"}""", @"'weight_map.a': expected the name of a \.safetensors file in the same directory, got the string '../x.safetensors'")]
    [InlineData("""{"a":"/etc/x.safetensors"}""", "expected the name of a")]
    [InlineData("""{"a":"sub\\x.safetensors"}""", "expected the name of a")]
    [InlineData("""{"a":"config.json"}""", "expected the name of a")]
    [InlineData("""{"a":"x\u0000.safetensors"}""", "expected the name of a")]
    [InlineData("""{"a":1}""", "expected a string, got '1'")]
    [InlineData("""{"a":"missing.safetensors"}""", "the index names 'missing.safetensors', which is missing; complete the download")]
    [InlineData("""{"b":"x.safetensors"}""", "the tensor 'b' is not in 'x.safetensors', where the index says it is")]
    [InlineData("""{"a":"x.safetensors","a":"x.safetensors"}""", "'weight_map.a': the tensor stands there twice")]
    [InlineData("{}", "'weight_map': the index names no tensors")]
    [InlineData("[]", "'weight_map': expected an object, got an array")]
    [InlineData("null", "the field 'weight_map' is missing")]
    public void A_bad_index_is_refused(string map, string pattern)
    {
        WriteConfig();
        _directory.Write("x.safetensors", SafeTensorsBytes.OfNames("a"));
        string index = WriteIndex(map);
        Refusal.Is(pattern, index, () => Checkpoint.Open(_directory.Path));
    }

    [Fact]
    public void What_is_no_checkpoint_is_refused()
    {
        string missing = _directory.PathOf("missing");
        Refusal.Is("no such file or directory", missing, () => Checkpoint.Open(missing));
        string bin = _directory.Write("pytorch_model.bin", "PK");
        Refusal.Is("neither a GGUF file nor a llama2.c file", bin, () => Checkpoint.Open(bin));
        string weights = _directory.Write("model.safetensors", "x");
        Refusal.Is("neither a GGUF file nor a llama2.c file", weights, () => Checkpoint.Open(weights));
        Refusal.Is("no such file", _directory.PathOf("config.json"), () => Checkpoint.Open(_directory.Path));
        File.Delete(weights);
        WriteConfig();
        Refusal.Is("found neither model.safetensors nor", _directory.Path, () => Checkpoint.Open(_directory.Path));
    }

    [SharedFact("models/tiny-random")]
    public void Tiny_random_checkpoints_open_or_name_what_is_not_supported()
    {
        string[] directories = [.. Directory.GetFiles(Shared.PathOf("models/tiny-random"), "config.json", SearchOption.AllDirectories)
            .Select(path => Path.GetDirectoryName(path)!)];
        Assert.True(directories.Length > 20, $"Found {directories.Length} checkpoints.");
        var opened = new List<string>();
        foreach (string directory in directories)
        {
            try
            {
                using Checkpoint checkpoint = Checkpoint.Open(directory);
                checkpoint.Require("model.embed_tokens.weight", checkpoint.Config.VocabSize, checkpoint.Config.HiddenSize);
                opened.Add(Path.GetFileName(directory));
            }
            catch (ModelFileException refusal)
            {
                Assert.Matches("not known|known are|supported", refusal.Message);
                Refusal.IsOneSentence(refusal.Message);
            }
        }

        Assert.Superset(new HashSet<string> { "llama-bias", "llama-untied", "llama-untied-sharded", "qwen3", "phi3", "olmo2" }, opened.ToHashSet());
    }

    [Fact]
    public void A_sharded_checkpoint_has_the_weights_of_the_whole_one()
    {
        using Checkpoint whole = Checkpoint.Open(Repo.PathOf("models/tiny-random/llama-untied"));
        using Checkpoint sharded = Checkpoint.Open(Repo.PathOf("models/tiny-random/llama-untied-sharded"));
        Assert.Equal(whole.Tensors.Keys.Order(), sharded.Tensors.Keys.Order());
        foreach ((string name, FileTensor tensor) in whole.Tensors)
        {
            Assert.Equal(tensor.Data.AsSpan().ToArray(), sharded.Require(name, [.. tensor.Shape]).Data.AsSpan().ToArray());
        }
    }

    private void WriteConfig() => _directory.Write("config.json", ModelConfigTests.With());

    private string WriteIndex(string map) => _directory.Write(
        "model.safetensors.index.json", $$"""{"metadata":{"total_size":8},"weight_map":{{map}}}""");
}
