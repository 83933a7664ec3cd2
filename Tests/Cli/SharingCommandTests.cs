using System.Text.Json;
using KvIL.Cli;
using KvIL.Inference.Files;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary>kvil sharing, kvil share, --share, and the map in kvil inspect.</summary>
public sealed class SharingCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Sharing_lists_nine_configurations()
    {
        using JsonDocument json = JsonDocument.Parse(Tool.Output("sharing", "--layers", "22", "--kv-layers", "11", "--json"));
        JsonElement[] rows = [.. json.RootElement.GetProperty("rows").EnumerateArray()];
        Assert.Equal(9, rows.Length);
        Assert.Equal((11264, 22528, 11440), (Long(json, "bytes_per_token"), Long(json, "unshared_bytes_per_token"), Long(json, "bytes_per_token_with_positions")));
        Assert.Equal("""{"configuration":"sandwich-top:11","map":"0_1_2_3_4_16x12_17_18_19_20_21","owners":[0,1,2,3,4,16,17,18,19,20,21],"cyclic":true,"iterative_passes":5.363636363636363,"exact_passes":3.1818181818181817}""", rows[5].GetRawText());
        Assert.Matches(@"(?m)^  sandwich-middle:11 +0_1_2_3_4_10x12_17_18_19_20_21 +0-4 10 17-21 +11,264 +3\.18 +2\.09$", Tool.Output("sharing"));
        Tool.Refuses(App.Usage, "asks for 7 stores, and a model of 5 layers has 1 to 5", "sharing", "--layers", "5", "--kv-layers", "7");
    }

    [Fact]
    public void Share_averages_over_readers_and_copies_the_rest()
    {
        string shared = _directory.PathOf("shared");
        Assert.Contains("3 stores for 6 layers, 0x2_2x2_4x2; 3,607,808 parameters of 3,804,416", Tool.Output("share", Tool.Model, "--share", "lasagna-bottom:3", shared), StringComparison.Ordinal);
        using Checkpoint before = Checkpoint.Open(Tool.Model), after = Checkpoint.Open(shared);
        Assert.Equal("LCKVLlamaForCausalLM", after.Config.Architecture);
        Assert.Equal("0_0_2_2_4_4", after.Config.Sharing!.ToString());
        foreach ((string name, FileTensor tensor) in after.Tensors)
        {
            string other = name.Replace("layers.2.", "layers.3.", StringComparison.Ordinal);
            bool averaged = name.Contains("k_proj", StringComparison.Ordinal) || name.Contains("v_proj", StringComparison.Ordinal);
            if (!averaged) Assert.Equal(before.Tensors[name].Data.AsSpan(), tensor.Data.AsSpan());
            else if (other != name) AssertMean(before.Tensors[name], before.Tensors[other], tensor);
        }

        Assert.Equal(6, after.Tensors.Keys.Count(name => name.Contains("k_proj", StringComparison.Ordinal) || name.Contains("v_proj", StringComparison.Ordinal)));
        Assert.Equal(File.ReadAllBytes(Path.Combine(Tool.Model, "tokenizer.json")), File.ReadAllBytes(Path.Combine(shared, "tokenizer.json")));
        Assert.Equal(App.Success, Tool.Run("run", shared, "-p", "Once", "--max-tokens", "2").Code);

        // From a model that shares, only what is there can be taken.
        string again = _directory.PathOf("again");
        Tool.Refuses(App.Failure, "Layer 1 of .* reads another layer's store", "share", shared, "--share", "pizza-bottom:2", again);
        Assert.False(Path.Exists(again));
        Tool.Output("share", shared, "--share", "lasagna-bottom:3", "--init", "keep", again);
        Assert.Equal(File.ReadAllBytes(Path.Combine(shared, "model.safetensors")), File.ReadAllBytes(Path.Combine(again, "model.safetensors")));
    }

    // C26.
    [Fact]
    public void Share_without_sharing_changes_no_byte()
    {
        string copy = _directory.PathOf("copy");
        Tool.Output("share", Tool.Model, "--share", "pizza-bottom:6", copy);
        Assert.Equal(File.ReadAllBytes(Path.Combine(Tool.Model, "model.safetensors")), File.ReadAllBytes(Path.Combine(copy, "model.safetensors")));
    }

    [Fact]
    public void Share_refuses_and_leaves_nothing()
    {
        string to = _directory.PathOf("out");
        Tool.Refuses(App.Failure, "there already", "share", Tool.Model, "--share", "pizza-top:2", _directory.Path);
        Tool.Refuses(App.Failure, "is no sharing map", "share", Tool.Model, "--share", "nonsense", to);
        Tool.Refuses(App.Failure, "has 2 layers, and the model has 6", "share", Tool.Model, "--share", "0_0", to);
        Tool.Refuses(App.Failure, "is Qwen3ForCausalLM", "share", Repo.PathOf("models/tiny-random/qwen3"), "--share", "pizza-top:2", to);
        Tool.Refuses(App.Failure, "there is no directory", "share", Tool.Model, "--share", "pizza-top:2", _directory.PathOf("none/out"));
        string gguf = _directory.PathOf("m.gguf");
        Tool.Output("synth", "--shape", "tiny", "--type", "f16", gguf);
        Tool.Refuses(App.Failure, "only a directory with config.json and safetensors", "share", gguf, "--share", "pizza-top:2", to);
        Assert.Equal([gguf], Directory.EnumerateFileSystemEntries(_directory.Path));
    }

    [Fact]
    public void A_forced_map_is_run_with_a_warning()
    {
        ToolRun run = Tool.Run("run", Tool.Model, "-p", "Once upon", "--max-tokens", "2", "--share", "lasagna-bottom:3");
        Assert.Equal(App.Success, run.Code);
        Assert.Contains("WARNING: this model was trained without sharing and runs with the sharing map 0x2_2x2_4x2", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("WARNING", Tool.Run("run", Tool.Model, "-p", "Once upon", "--max-tokens", "1", "--share", "0_1_2_3_4_5").Error, StringComparison.Ordinal);
        Tool.Refuses(App.Usage, "--share is empty", "run", Tool.Model, "-p", "x", "--share", "");
        Tool.Refuses(App.Failure, "leave the marks out", "run", Tool.Model, "-p", "x", "--share", "0s_1_2_3_4_5");
        Tool.Refuses(App.Failure, "rotations of keys differ", "run", Repo.PathOf("models/tiny-random/smollm3"), "-p", "x", "--share", "lasagna-bottom:1");
    }

    [Fact]
    public void Inspect_draws_the_map()
    {
        string shared = _directory.PathOf("shared");
        Tool.Output("share", Tool.Model, "--share", "pizza-bottom:3", shared);
        string text = Tool.Output("inspect", shared);
        Assert.Matches(@"(?m)^  5 +2 +below +· · ○$", text);
        Assert.Matches(@"(?m)^  1 +1 +own +· ● ·$", text);
        Assert.Contains("0_1_2x4: a token takes 1,584 B of 3,168 B without sharing in F16, 50%", text, StringComparison.Ordinal);
        using JsonDocument json = JsonDocument.Parse(Tool.Output("inspect", shared, "--json"));
        JsonElement sharing = json.RootElement.GetProperty("sharing");
        Assert.Equal("""{"store":2,"owner":2,"readers":[2,3,4,5],"holds":null,"kv_heads":4,"head_dim":32,"bytes_per_token":{"f16":528,"f32":1040}}""", sharing.GetProperty("stores")[2].GetRawText());
        Assert.Equal(9, sharing.GetProperty("trained_passes").GetInt32());
    }

    [Fact]
    public void Damaged_configs_and_missing_weights_of_owners_are_named()
    {
        string shared = _directory.PathOf("shared"), config = Path.Combine(shared, "config.json");
        Tool.Output("share", Tool.Model, "--share", "pizza-bottom:3", shared);
        string text = File.ReadAllText(config);
        void Refused(string types, string pattern)
        {
            File.WriteAllText(config, text.Replace("\"0_1_2_2_2_2\"", types, StringComparison.Ordinal));
            Tool.Refuses(App.Failure, pattern, "inspect", shared);
        }

        Refused("\"0_1_2_3_3_3\"", @"tensor 'model\.layers\.3\.self_attn\.k_proj\.weight' .*is missing");
        Refused("\"0_1_2\"", "'layer_types': expected 6 tokens, one a layer, got 3");
        Refused("\"0_1_2_2_2_9\"", "layer 5 reads layer 9");
        Refused("\"0_1_2_2_2_x\"", "token 5 of the map is 'x'");
        Refused("\"0x1000000000\"", "token 0 of the map|more than 16384 layers");
        Refused("[\"full_attention\"]", "'layer_types': expected a string");
        File.WriteAllText(config, text.Replace("\"0_1_2_2_2_2\"", "\"2x6\"", StringComparison.Ordinal));
        Assert.Equal(App.Success, Tool.Run("inspect", shared).Code); // weights of layers 0 and 1 are dead now
    }

    [Fact]
    public void Golden_checks_layer_condensed_models()
    {
        using JsonDocument json = JsonDocument.Parse(Tool.Output("golden", Repo.PathOf("golden/lckv"), "--only", "mix*", "--only", "cla*", "--json"));
        Assert.Equal((0, "quantity"), (json.RootElement.GetProperty("failed").GetInt32(), json.RootElement.GetProperty("grouped_by").GetString()));
        Assert.Contains("exact logits", json.RootElement.GetProperty("groups").GetRawText(), StringComparison.Ordinal);
        Tool.Refuses(App.Usage, "names none of the 8 cases", "golden", Repo.PathOf("golden/lckv"), "--only", "nothing");
        string damaged = _directory.PathOf("configs.json");
        File.WriteAllText(damaged, File.ReadAllText(Repo.PathOf("golden/lckv/configs.json")).Replace("kvil-golden-lckv/1", "kvil-golden-lckv/2", StringComparison.Ordinal));
        Tool.Refuses(App.Failure, "of format kvil-golden-lckv/2, and kvil-golden-lckv/1 is expected", "golden", _directory.Path);
        File.WriteAllText(damaged, """{"format": "kvil-golden-lckv/1", "cases": [{"name": 3}]}""");
        Tool.Refuses(App.Failure, "a field is missing or has another type", "golden", _directory.Path);
        File.WriteAllText(damaged, """{"format": "kvil-golden-lckv/1", "cases": [""");
        Tool.Refuses(App.Failure, "damaged at line 1", "golden", _directory.Path);
    }

    private static void AssertMean(FileTensor a, FileTensor b, FileTensor mean)
    {
        for (int i = 0; i < mean.ElementCount; i++)
        {
            float expected = (Element(a, i) + Element(b, i)) / 2;
            Assert.InRange(Element(mean, i), expected - (MathF.Abs(expected) / 200), expected + (MathF.Abs(expected) / 200)); // BF16 has 8 bits
        }
    }

    private static float Element(FileTensor tensor, int i) => BitConverter.Int32BitsToSingle(BitConverter.ToInt16(tensor.Data.AsSpan().Slice(2 * i, 2)) << 16);

    private static long Long(JsonDocument json, string name) => json.RootElement.GetProperty(name).GetInt64();
}
