using System.Security.Cryptography;
using System.Text.Json;
using KvIL.Cli;
using KvIL.Inference.Files;
using KvIL.Inference.Files.Synthesis;
using KvIL.Tensors;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

public sealed class SynthCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("f32", "F32")]
    [InlineData("q8_0", "Q8_0")]
    [InlineData("q4_k", "Q5_0")]
    [InlineData("q6_k", "Q8_0")]
    public void A_model_is_written_opened_and_run(string type, string stored)
    {
        string path = _directory.PathOf("m.gguf");
        string text = Tool.Output("synth", "--shape", "tiny", "--type", type, path);
        Assert.Contains(stored, text, StringComparison.Ordinal);
        Assert.Equal(type.EndsWith("_k", StringComparison.Ordinal), text.Contains("no whole blocks of 256", StringComparison.Ordinal));
        using Checkpoint checkpoint = Checkpoint.Open(path);
        Assert.Equal((64, 192, 2, 512), (checkpoint.Config.HiddenSize, checkpoint.Config.IntermediateSize, checkpoint.Config.NumLayers, checkpoint.Config.VocabSize));
        Assert.Equal(stored, checkpoint.Require("model.layers.1.self_attn.q_proj.weight", 64, 64).StoredType);
        Assert.NotEmpty(Tool.Output("run", path, "-p", "the old man", "--max-tokens", "3"));
        Assert.Equal([path], Directory.GetFiles(_directory.Path));
    }

    [Fact]
    public void Equal_seeds_give_equal_files_on_every_machine()
    {
        string Digest(params string[] args)
        {
            string path = _directory.PathOf("m.gguf");
            Tool.Output(["synth", "--shape", "tiny", "--layers", "1", path, .. args]);
            return Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)))[..16];
        }

        Assert.Equal("FE6BDA0A147BE4C2", Digest("--type", "f32", "--seed", "7"));
        Assert.Equal("20DA52B58D50228B", Digest("--type", "q4_0", "--seed", "7"));
        Assert.NotEqual(Digest("--seed", "8"), Digest("--seed", "9"));
    }

    [Fact]
    public void Weights_have_the_variance_of_one_over_the_columns()
    {
        string path = _directory.PathOf("m.gguf");
        Tool.Output("synth", "--shape", "tiny", "--type", "f32", path);
        using Checkpoint checkpoint = Checkpoint.Open(path);
        float[] w = GgufConversion.Widen(checkpoint.Tensors["model.layers.0.mlp.down_proj.weight"]);
        Assert.Equal(0, w.Average(), 0.004);
        Assert.Equal(1.0 / 192, w.Average(x => (double)x * x), 0.0003);
    }

    // llama.cpp's quantiser, tensor_type_fallback; the output head is Q6_K, or Q8_0 where its rows are no whole blocks.
    [Theory]
    [InlineData(DType.Q4_K, 576, false, DType.Q5_0)]
    [InlineData(DType.Q5_K, 576, false, DType.Q5_1)]
    [InlineData(DType.Q6_K, 576, false, DType.Q8_0)]
    [InlineData(DType.Q2_K, 576, false, DType.Q4_0)]
    [InlineData(DType.Q3_K, 576, false, DType.Q4_0)]
    [InlineData(DType.Q4_K, 1536, false, DType.Q4_K)]
    [InlineData(DType.Q4_K, 576, true, DType.Q8_0)]
    [InlineData(DType.Q4_0, 576, true, DType.Q8_0)]
    [InlineData(DType.Q4_0, 2048, true, DType.Q6_K)]
    [InlineData(DType.Q8_0, 2048, true, DType.Q8_0)]
    [InlineData(DType.F16, 2048, true, DType.F16)]
    [InlineData(DType.Q4_0, 48, false, DType.F16)]
    public void Types_fall_back_as_llama_cpp_has_it(DType wanted, int columns, bool isOutput, DType type) =>
        Assert.Equal(type, SyntheticModel.TypeFor(wanted, columns, isOutput));

    [Fact]
    public void Json_has_the_types()
    {
        using JsonDocument json = JsonDocument.Parse(Tool.Output("synth", "--shape", "tiny", "--type", "q4_k", "--json", _directory.PathOf("m.gguf")));
        Assert.Equal(15, json.RootElement.GetProperty("fallbacks").GetInt32());
        Assert.Equal("""[{"type":"Q8_0","count":1},{"type":"Q5_0","count":14}]""", json.RootElement.GetProperty("matrices").ToString());
    }

    [Fact]
    public void What_cannot_be_written_is_refused_and_leaves_what_was_there()
    {
        string old = _directory.Write("old.gguf", "old");
        string nowhere = _directory.PathOf("no/such/m.gguf");
        Tool.Refuses(App.Failure, "there is no directory .*no/such; make it first", "synth", "--shape", "tiny", nowhere);
        Tool.Refuses(App.Failure, "this is a directory; name a file", "synth", "--shape", "tiny", _directory.Path);
        Tool.Refuses(App.Usage, "There is no shape 'tinny'; did you mean 'tiny'", "synth", "--shape", "tinny", old);
        Tool.Refuses(App.Usage, "Expected --type to be f32 or", "synth", "--shape", "tiny", "--type", "q9", old);
        SyntheticModel cancelled = new(SyntheticShape.Find("tiny")!, DType.F32, cancelled: new CancellationToken(canceled: true));
        Assert.Throws<OperationCanceledException>(() => cancelled.Write(old));
        var full = new GgufWriter();
        full.Add(new GgufTensorSource("a", "F32", [1], _ => throw new IOException("No space left on device : '/x'")));
        Refusal.Is("cannot be written \\(No space left", old, () => full.Write(old));
        var broken = new GgufWriter();
        broken.Add(new GgufTensorSource("a", "F32", [1], stream => stream.Write(new byte[3])));
        Assert.Throws<InvalidOperationException>(() => broken.Write(old));
        Assert.Equal("old", File.ReadAllText(old));
        Assert.Equal([old], Directory.GetFiles(_directory.Path));
    }
}
