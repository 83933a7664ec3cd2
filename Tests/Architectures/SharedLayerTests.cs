using System.Text;
using System.Text.Json.Nodes;
using KvIL.Backends;
using KvIL.Inference;
using KvIL.Inference.Files;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Ops;
using KvIL.Reference;
using KvIL.Tensors;
using KvIL.Tests.Engines;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Architectures;

/// <summary>Released models whose layers share keys and values: what a file may hold beyond need, what it must hold, and where they run.</summary>
public sealed class SharedLayerTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Weights_that_no_layer_reads_may_hold_anything()
    {
        string[] dead = [.. from layer in Enumerable.Range(4, 3) from name in (string[])["k_proj", "v_proj", "k_norm"] select $"model.layers.{layer}.self_attn.{name}.weight"];
        string spoiled = CopyOf("gemma3n", file => Fill(file, 0xFF, dead)); // BF16 0xFFFF is NaN
        Assert.Equal(Logits(TinyRandom.PathOf("gemma3n")), Logits(spoiled));

        string live = CopyOf("gemma3n", file => Fill(file, 0xFF, "model.layers.3.self_attn.k_norm.weight"));
        Assert.Contains(Logits(live), float.IsNaN);
    }

    [Theory]
    [InlineData("gemma3n", "model.layers.3.self_attn.k_proj.weight")]
    [InlineData("gemma4", "model.layers.2.self_attn.v_proj.weight")]
    [InlineData("gemma4-nested", "model.language_model.layers.2.self_attn.k_norm.weight")]
    [InlineData("gemma4-keqv", "model.layers.1.self_attn.k_proj.weight")]
    [InlineData("hunyuan-cla", "model.layers.2.self_attn.k_proj.weight")]
    [InlineData("hunyuan-cla", "model.layers.3.self_attn.key_layernorm.weight")]
    public void A_missing_weight_of_an_owner_is_named(string folder, string name)
    {
        string path = CopyOf(folder, file => Change(file, header =>
        {
            header["unknown"] = header[name]!.DeepClone();
            header.Remove(name);
        }));
        Refusal.Is($"the tensor '{name}' .* is missing", path, () => TinyRandom.Check(path));
    }

    [Fact]
    public void Coefficients_beyond_the_limit_are_refused()
    {
        string path = CopyOf("gemma3n", file => Fill(file, 0x7E, "model.layers.1.altup.correction_coefs.weight"));
        Refusal.Is("'?model.layers.1.altup.correction_coefs.weight'? has a number beyond altup_coef_clip 120", path, () => TinyRandom.Check(path));
    }

    [Fact]
    public void A_nested_checkpoint_may_hold_other_parts()
    {
        string path = CopyOf("gemma4-nested", file =>
        {
            (_, int data) = Header(file);
            int end = file.Length - data;
            return [.. Change(file, h => h["model.vision_tower.patch.weight"] = new JsonObject
            {
                ["dtype"] = "U8", ["shape"] = new JsonArray(1), ["data_offsets"] = new JsonArray(end, end + 1),
            }), 0];
        });
        string config = Path.Combine(path, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"vision_config\": null", "\"vision_config\": {\"hidden_size\": \"any\"}", StringComparison.Ordinal));
        using Checkpoint checkpoint = Checkpoint.Open(path);
        Assert.Equal("Gemma4ForCausalLM", checkpoint.Config.Architecture);
        Assert.Contains("model.layers.0.layer_scalar", checkpoint.Tensors.Keys);
        Assert.Contains("model.vision_tower.patch.weight", checkpoint.Tensors.Keys);
        _ = new Transformer(checkpoint);
    }

    [Theory]
    [InlineData("gemma3n", typeof(MixOp))]
    [InlineData("gemma4", typeof(ColumnsOp))]
    [InlineData("gemma4-keqv", typeof(GainOp))]
    [InlineData("hunyuan-cla", typeof(UnitNormOp))]
    public void A_device_that_lacks_a_step_refuses_before_it_loads_weights(string folder, Type op)
    {
        using TamperedBackend backend = new(new ReferenceBackend(1)) { Lacks = each => each.GetType() == op };
        RequestException refusal = Assert.Throws<RequestException>(() => Model.Open(TinyRandom.PathOf(folder), backend));
        Assert.Contains($"({op.Name[..^2]})", refusal.Message);
        Assert.Contains("use --device cpu", refusal.Message);
        Refusal.IsOneSentence(refusal.Message);
        Assert.Equal(0, backend.Memory.Peak(MemoryKind.Weights));
    }

    [Fact]
    public void Keys_that_are_normalised_last_cannot_be_turned_back()
    {
        using Checkpoint checkpoint = Checkpoint.Open(TinyRandom.PathOf("hunyuan-cla"));
        Transformer transformer = new(checkpoint);
        Assert.Throws<RequestException>(() => transformer.Rotary(0));
        Assert.Equal("model.layers.1.self_attn.key_layernorm.weight", transformer.KeyGain(1));
        using Checkpoint dense = Checkpoint.Open(TinyRandom.PathOf("hunyuan-dense"));
        Assert.Null(new Transformer(dense).KeyGain(1));
    }

    private static float[] Logits(string path)
    {
        using ReferenceBackend backend = new(1);
        using Model model = Model.Open(path, backend, readTokenizer: false);
        using Engine engine = new(model, new() { MaxTokens = 20, Chunk = 20, RowType = DType.F32 });
        using KvCache cache = engine.CreateCache();
        engine.Forward(cache, new int[20], [.. Enumerable.Range(3, 20)], [19]);
        return engine.Logits(0).ToArray();
    }

    private string CopyOf(string folder, Func<byte[], byte[]> change)
    {
        string path = Directory.CreateDirectory(_directory.PathOf($"{folder}-{Guid.NewGuid():n}")).FullName;
        File.Copy(Path.Combine(TinyRandom.PathOf(folder), "config.json"), Path.Combine(path, "config.json"));
        File.Copy(Path.Combine(TinyRandom.PathOf(folder), "reference.safetensors"), Path.Combine(path, "reference.safetensors"));
        File.WriteAllBytes(Path.Combine(path, "model.safetensors"), change(File.ReadAllBytes(Path.Combine(TinyRandom.PathOf(folder), "model.safetensors"))));
        return path;
    }

    // Every byte of some tensors replaced.
    private static byte[] Fill(byte[] file, byte value, params string[] names)
    {
        (JsonObject header, int data) = Header(file);
        foreach (string name in names)
        {
            int[] at = [.. header[name]!["data_offsets"]!.AsArray().Select(offset => (int)offset!)];
            file.AsSpan(data + at[0], at[1] - at[0]).Fill(value);
        }

        return file;
    }

    private static byte[] Change(byte[] file, Action<JsonObject> change)
    {
        (JsonObject header, int data) = Header(file);
        change(header);
        byte[] json = Encoding.UTF8.GetBytes(header.ToJsonString());
        return [.. BitConverter.GetBytes((long)json.Length), .. json, .. file.AsSpan(data)];
    }

    private static (JsonObject Header, int Data) Header(byte[] file)
    {
        int length = (int)BitConverter.ToInt64(file);
        return (JsonNode.Parse(file.AsSpan(8, length))!.AsObject(), 8 + length);
    }
}
