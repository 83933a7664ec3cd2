using System.Runtime.InteropServices;
using KvIL.Inference.Files;
using Xunit;

namespace KvIL.Tests.Files;

public sealed class Llama2CFileTests : IDisposable
{
    private const string Stories = "models/stories260K";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(0, true)]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(1, false)]
    [InlineData(2, true)]
    [InlineData(2, false)]
    public void Tensors_stand_where_the_version_has_them(int version, bool tied)
    {
        using Llama2CFile file = Llama2CFile.Open(_directory.Write("model.bin", Llama2CBytes.Of(version, tied)));
        Assert.Equal(version, file.Version);
        Assert.Equal(tied ? 20 : 21, file.Tensors.Count);
        string[] order = version == 0
            ? ["embed_tokens", "0.input_layernorm", "1.input_layernorm", "0.self_attn.q_proj", "1.self_attn.q_proj", "0.self_attn.k_proj"]
            : ["0.input_layernorm", "1.input_layernorm", "0.post_attention_layernorm", "1.post_attention_layernorm", "norm", "embed_tokens"];
        for (int number = 0; number < order.Length; number++)
        {
            FileTensor tensor = file.Tensors.Values.Single(t => t.Name.EndsWith("." + order[number] + ".weight", StringComparison.Ordinal));
            float[] elements = Elements(tensor);
            // Of a group of version 2: scale number/8 + index, integers from -127 on.
            float[] expected = version < 2 || tensor.Shape.Count == 1
                ? [.. elements.Select((_, i) => number + (i / 8f))]
                : [.. elements.Select((_, i) => ((number / 8f) + (i / Llama2CBytes.Group)) * ((i % 255) - 127))];
            Assert.Equal(expected, elements);
        }

        Assert.Equal([12, 8], file.Tensors["model.layers.1.mlp.up_proj.weight"].Shape);
        Assert.Equal([8, 12], file.Tensors["model.layers.1.mlp.down_proj.weight"].Shape);
        Assert.Equal([4, 8], file.Tensors["model.layers.0.self_attn.v_proj.weight"].Shape);
        Assert.Equal(!tied, file.Tensors.ContainsKey("lm_head.weight"));
    }

    [Fact]
    public void Its_config_has_the_constants_of_the_format()
    {
        string path = _directory.Write("model.bin", Llama2CBytes.Of(0, tied: false));
        string tokenizer = _directory.Write("tok5.bin", "x");
        _directory.Write("tok6.bin", "x");
        using Checkpoint checkpoint = Checkpoint.Open(path);
        Assert.Equal("llama2.c v0", checkpoint.Format);
        Assert.Equal(tokenizer, checkpoint.TokenizerPath);
        ModelConfig config = checkpoint.Config;
        Assert.Equal((8, 12, 2, 2, 1, 4), (config.HiddenSize, config.IntermediateSize, config.NumLayers, config.NumQueryHeads, config.NumKvHeads, config.HeadDim));
        Assert.Equal((5, 6, false, 1e-5), (config.VocabSize, config.MaxPositions, config.TieWordEmbeddings, config.RmsNormEps));
        Assert.Equal(RopePairing.Interleaved, config.RopePairing);
        Assert.All(config.Layers, layer => Assert.Equal(new LayerConfig(new RopeConfig(10000, 4)), layer));
    }

    [Fact]
    public void A_header_that_does_not_fit_the_file_is_refused()
    {
        byte[] whole = Llama2CBytes.Of(2, tied: true);
        Refuses($"describes a file of {whole.Length} bytes, found {whole.Length - 1}", whole[..^1]);
        Refuses("too few for a llama2.c file", whole[..200]);
        Refuses("found version 3, supported are 0, 1 and 2", Patched(whole, 4, 3));
        Refuses("found version -1", Patched(whole, 4, -1));
        Refuses("found a width of 0", Patched(whole, 8, 0));
        Refuses("found a width of -8", Patched(whole, 8, -8));
        Refuses("found 2147483647 layers", Patched(whole, 16, int.MaxValue));
        Refuses("3 KV heads do not divide 2", Patched(whole, 24, 3));
        Refuses("gives no even size of a head", Patched(whole, 20, 3));
        Refuses("groups of 7 do not divide every matrix", Patched(whole, 37, 7));
        Refuses("found a vocabulary of -5", Patched(whole, 28, -5));
        Refuses("describes a file of 9223372036854775807 bytes", Patched(Patched(Patched(Patched(whole, 16, 1 << 14), 8, 1 << 24), 12, 1 << 24), 20, 1 << 16));
        byte[] old = Llama2CBytes.Of(0, tied: true);
        Refuses("found a vocabulary of -2147483648", Patched(old, 20, int.MinValue));
        Refuses("describes a file of", Patched(old, 24, 7));
    }

    [Fact]
    public void Damaged_files_load_or_are_refused()
    {
        var random = new Random(9);
        int[] values = [0, 1, -1, 2, 4, 7, 8, 64, 1 << 16, 1 << 24, int.MaxValue, int.MinValue];
        byte[][] originals = [Llama2CBytes.Of(0, true), Llama2CBytes.Of(1, false), Llama2CBytes.Of(2, true)];
        string path = _directory.PathOf("model.bin");
        int loaded = 0;
        for (int i = 0; i < 800; i++)
        {
            byte[] bytes = [.. originals[i % 3]];
            for (int edits = random.Next(1, 3); edits > 0; edits--)
            {
                BitConverter.TryWriteBytes(bytes.AsSpan(random.Next(64)), values[random.Next(values.Length)]);
            }

            File.WriteAllBytes(path, i % 5 == 0 ? bytes[..random.Next(1, bytes.Length)] : bytes);
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using Checkpoint checkpoint = Checkpoint.Open(path);
                Assert.All(checkpoint.Tensors.Values, tensor => Assert.Equal(tensor.ElementCount, Elements(tensor).Length));
                loaded++;
            }
            catch (ModelFileException refusal)
            {
                Refusal.IsOneSentence(refusal.Message);
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - allocated, 0, 1_000_000);
        }

        Assert.InRange(loaded, 1, 799);
    }

    [SharedFact(Stories)]
    public void A_published_model_has_the_weights_of_its_other_forms()
    {
        using Checkpoint plain = Checkpoint.Open(Shared.PathOf(Stories + "/stories260K.bin"));
        using Checkpoint quantized = Checkpoint.Open(Shared.PathOf(Stories + "/stories260K_q80_v2.bin"));
        using Checkpoint gguf = Checkpoint.Open(Shared.PathOf(Stories + "/stories260K-f32.gguf"));
        Assert.Equal(("llama2.c v0", "llama2.c v2", "gguf v3"), (plain.Format, quantized.Format, gguf.Format));
        Assert.Equal(plain.Tensors.Keys.Order(), quantized.Tensors.Keys.Order());
        Assert.Equal(plain.Tensors.Keys.Order(), gguf.Tensors.Keys.Order());
        Assert.EndsWith("tok512.bin", plain.TokenizerPath, StringComparison.Ordinal);
        Assert.Equal(gguf.Path, gguf.TokenizerPath);
        foreach (FileTensor tensor in plain.Tensors.Values)
        {
            float[] w = Elements(tensor);
            Assert.Equal(w, Elements(gguf.Require(tensor.Name, [.. tensor.Shape])));
            float[] q = Elements(quantized.Require(tensor.Name, [.. tensor.Shape]));
            if (tensor.Shape.Count == 1)
            {
                Assert.Equal(w, q);
                continue;
            }

            // Groups of 8: the largest of a group is 127 steps, rounding is off by half a step.
            for (int i = 0; i < w.Length; i += 8)
            {
                float step = w.AsSpan(i, 8).ToArray().Max(MathF.Abs) / 127;
                Assert.All(Enumerable.Range(i, 8), j => Assert.InRange(MathF.Abs(w[j] - q[j]), 0, 0.501f * step));
            }
        }
    }

    private static float[] Elements(FileTensor tensor) => MemoryMarshal.Cast<byte, float>(tensor.Data.AsSpan()).ToArray();

    private static byte[] Patched(byte[] bytes, int at, int value)
    {
        bytes = [.. bytes];
        BitConverter.TryWriteBytes(bytes.AsSpan(at), value);
        return bytes;
    }

    private void Refuses(string pattern, byte[] bytes)
    {
        string path = _directory.Write("bad.bin", bytes);
        Refusal.Is(pattern, path, () => Llama2CFile.Open(path).Dispose());
    }
}
