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
            ["LlamaForCausalLM", "3,804,416", "56 BF16", "byte-level BPE", "2,048", "3,168 B", "6,240 B", "head_dim * (key bytes + value bytes) + 4", "layer l reads store l"],
            part => Assert.Contains(part, text, StringComparison.Ordinal));
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

    private static JsonElement Json(string model)
    {
        using JsonDocument document = JsonDocument.Parse(Tool.Output("inspect", model, "--json"));
        return document.RootElement.Clone();
    }
}
