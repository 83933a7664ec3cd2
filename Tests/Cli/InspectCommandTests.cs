using System.Text;
using System.Text.Json;
using KvIL.Cli;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

public sealed class InspectCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Json_has_the_shape_the_tokenizer_and_the_bytes()
    {
        JsonElement json = Json(Tool.Model);
        Assert.Equal(6, json.GetProperty("layers").GetInt32());
        Assert.Equal(4, json.GetProperty("kv_heads").GetInt32());
        Assert.Equal(2048, json.GetProperty("context").GetInt32());
        Assert.Equal(3_804_416, json.GetProperty("parameters").GetInt64());
        Assert.Equal("""[{"type":"BF16","count":56,"bytes":7608832}]""", json.GetProperty("tensors").ToString());
        Assert.Equal("""{"kind":"byte-level BPE","size":1024,"bos":0,"adds_bos":true}""", json.GetProperty("tokenizer").ToString());
        JsonElement kv = json.GetProperty("kv");
        Assert.Equal("""{"f16":132,"f32":260}""", kv.GetProperty("row_bytes").ToString());
        Assert.Equal("""{"f16":528,"f32":1040}""", kv.GetProperty("bytes_per_token_and_store").ToString());
        Assert.Equal("""{"f16":3168,"f32":6240}""", kv.GetProperty("bytes_per_token").ToString());
        Assert.Equal("[0,1,2,3,4,5]", json.GetProperty("stores").ToString());
    }

    [Fact]
    public void Text_has_them_too()
    {
        string text = Tool.Output("inspect", Tool.Model);
        Assert.All(
            ["LlamaForCausalLM", "3,804,416", "byte-level BPE", "2,048", "3,168 B", "6,240 B", "head_dim * (key bytes + value bytes) + 4", "layer l reads store l"],
            part => Assert.Contains(part, text, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("gemma4", 672, "2 of 16 in the stores of layers 0, 1, 3; 2 of 32 in the stores of layers 2")]
    [InlineData("gemma4-keqv", 944, "4 of 16 in the stores of layers 0, 2; 2 of 24 in the stores of layers 1, 3")]
    public void Stores_of_several_shapes_are_told_apart(string folder, long bytes, string shapes)
    {
        string path = Repo.PathOf($"models/tiny-random/{folder}");
        Assert.Equal(bytes, Json(path).GetProperty("kv").GetProperty("bytes_per_token").GetProperty("f16").GetInt64());
        Assert.Contains(shapes, Tool.Output("inspect", path), StringComparison.Ordinal);
    }

    [Fact]
    public void A_gguf_file_has_its_format_lists_and_metadata()
    {
        string path = _directory.PathOf("m.gguf");
        Tool.Output("synth", "--shape", "tiny", "--type", "q8_0", path);
        JsonElement json = Json(path, "--tensors", "--metadata");
        Assert.Equal("gguf v3", json.GetProperty("format").GetString());
        Assert.Equal("""[{"type":"F32","count":5,"bytes":1280},{"type":"Q8_0","count":15,"bytes":139264}]""", json.GetProperty("tensors").ToString());
        Assert.Equal(20, json.GetProperty("tensor_list").GetArrayLength());
        Assert.Contains(
            """{"key":"tokenizer.ggml.tokens","type":"512 x String","value":"[\"<|end|>\", \"<|start|>\", """,
            json.GetProperty("metadata").GetRawText(), StringComparison.Ordinal);
        string text = Tool.Output("inspect", path, "--tensors", "--metadata");
        Assert.Matches(@"(?m)^format +gguf v3$", text);
        Assert.Matches(@"(?m)^model\.layers\.1\.mlp\.down_proj\.weight +Q8_0 +\[64, 192\] +13,056 B at [0-9]+$", text);
        Assert.Matches(@"(?m)^llama\.rope\.freq_base \(Float32\) = 10000$", text);
        Assert.Matches(@"(?m)^tokenizer\.ggml\.token_type \(512 x Int32\) = \[3, 3, 1, 1, 1, 1, …\]$", text);
        Tool.Refuses(App.Usage, "--metadata is for GGUF files", "inspect", Tool.Model, "--metadata");
    }

    [Fact]
    public void A_chat_template_is_shown_by_its_first_line()
    {
        string copy = ModelCopy.Whole(_directory);
        Assert.Equal(JsonValueKind.Null, Json(copy).GetProperty("chat_template").ValueKind);
        File.WriteAllText(Path.Combine(copy, "tokenizer_config.json"), """{"chat_template":[{"name":"tools","template":"t"},{"name":"default","template":"one\ntwo"}]}""");
        Assert.Equal("""{"length":7,"first_line":"one"}""", Json(copy).GetProperty("chat_template").ToString());
        File.WriteAllText(Path.Combine(copy, "chat_template.jinja"), "{{ messages }}\n");
        Assert.Matches(@"(?m)^chat template +15 characters: \{\{ messages \}\}$", Tool.Output("inspect", copy));
    }

    [Fact]
    public void A_model_without_a_tokenizer_is_inspected()
    {
        string copy = ModelCopy.WithoutTokenizer(_directory);
        Assert.Equal(JsonValueKind.Null, Json(copy).GetProperty("tokenizer").ValueKind);
        Assert.Matches(@"(?m)^tokenizer +none$", Tool.Output("inspect", copy));
    }

    [Fact]
    public void Shards_and_an_output_head_of_its_own_are_inspected()
    {
        JsonElement json = Json(Repo.PathOf("models/tiny-random/llama-untied-sharded"));
        Assert.False(json.GetProperty("tied_embeddings").GetBoolean());
        Assert.Equal(json.GetProperty("parameters").GetInt64() * 2, json.GetProperty("weight_bytes").GetInt64());
    }

    [Fact]
    public void Mutated_models_are_inspected_or_refused_in_one_sentence()
    {
        string copy = ModelCopy.Whole(_directory);
        (string Name, byte[] Bytes)[] files =
        [
            ("config.json", File.ReadAllBytes(Path.Combine(copy, "config.json"))),
            ("tokenizer.json", File.ReadAllBytes(Path.Combine(copy, "tokenizer.json"))),
            ("model.safetensors", Encoding.UTF8.GetBytes(ModelCopy.Header())),
        ];
        Mutator mutator = new(20);
        int refused = 0;
        for (int i = 0; i < 300; i++)
        {
            (string name, byte[] bytes) = files[i % files.Length];
            Write(copy, name, mutator.Mutate(bytes));
            ToolRun run = Tool.Run("inspect", copy);
            if (run.Code != App.Success)
            {
                refused++;
                Tool.AssertRefusal(App.Failure, "^kvil: (?!Unexpected)", run);
            }

            Write(copy, name, bytes);
        }

        Assert.InRange(refused, 100, 299); // most damage matters, some does not
        Assert.Equal(App.Success, Tool.Run("inspect", copy).Code);
    }

    private static void Write(string copy, string name, byte[] bytes)
    {
        if (name == "model.safetensors")
        {
            ModelCopy.WriteWeights(copy, bytes);
        }
        else
        {
            File.WriteAllBytes(Path.Combine(copy, name), bytes);
        }
    }

    private static JsonElement Json(string model, params string[] options)
    {
        using JsonDocument document = JsonDocument.Parse(Tool.Output(["inspect", model, "--json", .. options]));
        return document.RootElement.Clone();
    }
}
