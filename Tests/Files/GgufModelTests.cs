using System.Text.Json.Nodes;
using KvIL.Inference.Files;
using KvIL.Inference.Runtime;
using KvIL.Reference;
using KvIL.Tensors;
using KvIL.Tests.Cli;
using KvIL.Tests.Engines;
using Xunit;

namespace KvIL.Tests.Files;

/// <summary>A model computes the same from whatever file it is read.</summary>
public sealed class GgufModelTests : IDisposable
{
    private const string Tiny = "models/tiny-random";
    private const string Stories = "models/stories260K";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SharedFact(Tiny)]
    public void Files_of_other_writers_give_the_recorded_logits()
    {
        string[] models = [.. Directory.GetFiles(Shared.PathOf(Tiny + "/gguf"), "*.gguf").Order(StringComparer.Ordinal)];
        Assert.Equal(7, models.Length);
        Assert.All(models, Holds);
    }

    [SharedFact(Stories)]
    public void All_forms_of_a_published_model_give_the_recorded_logits()
    {
        Holds(Shared.PathOf(Stories + "/stories260K-f32.gguf"));
        Holds(Shared.PathOf(Stories + "/stories260K.bin"));
    }

    [SharedFact(Stories)]
    public void A_published_model_tells_the_published_story()
    {
        string golden = File.ReadAllText(Shared.PathOf(Stories + "/golden_greedy_257.txt"))[..565];
        foreach (string form in (string[])["stories260K.bin", "stories260K-f32.gguf"])
        {
            string told = Tool.Output("run", Shared.PathOf($"{Stories}/{form}"), "-p", "", "--max-tokens", "256");
            Assert.StartsWith(golden, told, StringComparison.Ordinal);
        }
    }

    [SharedFact(Tiny)]
    public void Each_architecture_survives_the_conversion()
    {
        // What a GGUF file has no field for is edited first: see GgufConfigReader.
        Survives("gemma2", config => config["query_pre_attn_scalar"] = 16);
        Survives("gemma3", config => config["query_pre_attn_scalar"] = 16);
        Survives("smollm3", config => config["no_rope_layers"] = new JsonArray(1, 1, 1, 0));
        foreach (string name in (string[])["granite", "olmo2", "phi3", "phi3-longrope", "qwen2", "qwen3", "llama-bias", "llama-rope-linear", "llama-rope-yarn"])
        {
            Survives(name, _ => { });
        }
    }

    [SharedFact(Tiny)]
    public void A_converted_model_has_the_config_and_the_weights_of_the_original()
    {
        string directory = Shared.PathOf(Tiny + "/granite");
        using Checkpoint from = Checkpoint.Open(directory);
        GgufConversion.Convert(from, _directory.PathOf("granite.gguf"));
        using Checkpoint to = Checkpoint.Open(_directory.Path);
        Assert.Equal("gguf v3", to.Format);
        (ModelConfig a, ModelConfig b) = (from.Config, to.Config);
        Assert.Equal(
            (a.HiddenSize, a.IntermediateSize, a.NumLayers, a.NumQueryHeads, a.NumKvHeads, a.HeadDim, a.VocabSize, a.MaxPositions),
            (b.HiddenSize, b.IntermediateSize, b.NumLayers, b.NumQueryHeads, b.NumKvHeads, b.HeadDim, b.VocabSize, b.MaxPositions));
        Assert.Equal(RopePairing.Interleaved, b.RopePairing);
        Assert.Equal(a.AttentionScale, b.AttentionScale, 1e-6);
        Assert.Equal((a.LogitsDivisor, a.EmbeddingScale), (b.LogitsDivisor, b.EmbeddingScale));
        Assert.Equal(from.Tensors.Keys.Order(), to.Tensors.Keys.Order());
        foreach (FileTensor tensor in from.Tensors.Values)
        {
            float[] expected = GgufConversion.Widen(tensor);
            bool permuted = tensor.Name.Contains("q_proj", StringComparison.Ordinal) || tensor.Name.Contains("k_proj", StringComparison.Ordinal);
            Assert.Equal(
                permuted ? GgufConversion.Interleave(expected, a.HeadDim, (int)tensor.Shape[1]) : expected,
                GgufConversion.Widen(to.Require(tensor.Name, [.. tensor.Shape])));
        }
    }

    [Fact]
    public void Metadata_that_KvIL_does_not_run_are_refused()
    {
        (string, object)[] good =
        [
            ("general.architecture", "llama"), ("llama.block_count", 1u), ("llama.context_length", 8u), ("llama.embedding_length", 8u),
            ("llama.feed_forward_length", 8u), ("llama.attention.head_count", 2u), ("llama.attention.layer_norm_rms_epsilon", 1e-5f),
        ];
        Refuses("", good, succeeds: true);
        Refuses("known are llama, granite", [("general.architecture", "mamba"), .. good[1..]]);
        Refuses("known are llama, granite", [("general.architecture", "mistral"), .. good[1..]]);
        Refuses("key 'llama.context_length' is missing", [.. good[..2], .. good[3..]]);
        Refuses("mixtures of experts", [.. good, ("llama.expert_count", 8u)]);
        Refuses("a divisor of the 2 query heads", [.. good, ("llama.attention.head_count_kv", 3u)]);
        Refuses("one number from 1 to 65536 for all layers", [.. good, ("llama.attention.head_count_kv", new[] { 1, 2 })]);
        Refuses("an even number of at most 4 channels", [.. good, ("llama.rope.dimension_count", 6u)]);
        Refuses("of type 'dynamic', known are", [.. good, ("llama.rope.scaling.type", "dynamic")]);
        Refuses("values of another number", [.. good, ("llama.attention.key_length", 4u), ("llama.attention.value_length", 8u)]);
        Refuses("expected a whole number from 1 to", [.. good[..1], ("llama.block_count", uint.MaxValue), .. good[2..]]);
        Refuses("expected F32 \\[2\\], got F32 \\[3\\]", good, GgufBytes.Tensor("rope_freqs.weight", "F32", [3], 12));
        Refuses("two tensors are 'model.norm.weight'", good, GgufBytes.Tensor("model.norm.weight", "F32", [3], 12), GgufBytes.Tensor("output_norm.weight", "F32", [3], 12));
        string bare = _directory.Write("bare.gguf", GgufBytes.Of(good));
        Refusal.Is("'token_embd.weight' is missing", bare, () => Checkpoint.Open(bare).Dispose());
    }

    [Fact]
    public void A_directory_with_several_models_is_refused()
    {
        _directory.Write("b.gguf", GgufBytes.Sample());
        string first = _directory.Write("a.gguf", GgufBytes.Sample());
        Refusal.Is("holds 2 GGUF files; name one of them, such as .*a.gguf", first, () => Checkpoint.Open(_directory.Path).Dispose());
    }

    private void Refuses(string pattern, (string, object)[] metadata, params GgufTensorSource[] more) => Refuses(pattern, metadata, false, more);

    private void Refuses(string pattern, (string, object)[] metadata, bool succeeds, params GgufTensorSource[] more)
    {
        byte[] bytes = GgufBytes.Of(metadata, [GgufBytes.Tensor("token_embd.weight", "F32", [4, 8], 128), .. more]);
        string path = _directory.Write("m.gguf", bytes);
        if (succeeds)
        {
            Checkpoint.Open(path).Dispose();
        }
        else
        {
            Refusal.Is(pattern, path, () => Checkpoint.Open(path).Dispose());
        }
    }

    private static void Holds(string model)
    {
        RecordedModel recorded = new(Path.GetDirectoryName(model)!, Path.GetFileNameWithoutExtension(model) + ".reference.safetensors");
        foreach (RecordedSequence sequence in recorded.Sequences)
        {
            (float[][] logits, float[][] keys) = Run(model, sequence.Ids, sequence.Logits.Length);
            for (int row = 0; row < logits.Length; row++)
            {
                Near(sequence.Logits[row], logits[row], sequence.Tolerance, $"{model}, logits {row}");
            }

            foreach ((int layer, float[] expected) in sequence.Keys)
            {
                Near(expected, keys[layer], 10 * sequence.Tolerance, $"{model}, keys of layer {layer}");
            }
        }
    }

    private void Survives(string name, Action<JsonObject> edit)
    {
        string source = Shared.PathOf($"{Tiny}/{name}");
        string copy = Directory.CreateDirectory(_directory.PathOf(name)).FullName;
        File.Copy(Path.Combine(source, "model.safetensors"), Path.Combine(copy, "model.safetensors"));
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(source, "config.json")))!.AsObject();
        edit(config);
        File.WriteAllText(Path.Combine(copy, "config.json"), config.ToJsonString());
        string converted = _directory.PathOf(name + ".gguf");
        using (Checkpoint checkpoint = Checkpoint.Open(copy))
        {
            GgufConversion.Convert(checkpoint, converted);
        }

        int[] ids = [.. Enumerable.Range(0, 100).Select(i => ((i * 37) + (i * i % 11)) % 128)];
        float[][] expected = Run(copy, ids, 20).Logits;
        float[][] actual = Run(converted, ids, 20).Logits;
        for (int row = 0; row < expected.Length; row++)
        {
            // Fields of GGUF are binary32, and pairs are summed in another order.
            Near(expected[row], actual[row], 2e-3, $"{name}, logits {row}");
        }
    }

    private static (float[][] Logits, float[][] Keys) Run(string model, int[] ids, int rows)
    {
        EngineOptions options = new() { Chunk = 32, RowType = DType.F32, MaxLogitRows = ids.Length, MaxTokens = ids.Length };
        using Session session = new(model, options, null, new ReferenceBackend(1));
        using KvCache cache = session.Engine.CreateCache();
        session.Engine.Forward(cache, new int[ids.Length], ids, [.. Enumerable.Range(0, ids.Length)]);
        float[][] logits = [.. Enumerable.Range(ids.Length - rows, rows).Select(i => session.Engine.Logits(i).ToArray())];
        float[][] keys = [.. CacheRows.Of(session.Engine, cache, 0).Select(store => store.SelectMany(run => Floats(run.Keys)).ToArray())];
        return (logits, keys);
    }

    private static float[] Floats(byte[] bytes) => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes).ToArray();

    private static void Near(float[] expected, float[] actual, double tolerance, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        double distance = expected.Zip(actual, (a, b) => Math.Abs((double)a - b)).Max();
        Assert.True(distance <= tolerance, $"{what}: {distance:E2} apart, {tolerance:E2} allowed");
    }
}
