using System.Text.Json;
using System.Text.Json.Nodes;
using KvIL.Inference.Tokenization;

namespace KvIL.Tests.Tokenization;

/// <summary>tokenizer.json files made for a test.</summary>
internal static class TokenizerFile
{
    /// <summary>A byte-level tokenizer of 256 byte symbols, whose ids are their bytes, and the given merges.</summary>
    public static JsonObject Of(params string[] merges)
    {
        var vocabulary = new JsonObject();
        for (int value = 0; value < 256; value++)
        {
            vocabulary[ByteSymbols.Symbol((byte)value).ToString()] = value;
        }

        foreach (string merge in merges)
        {
            vocabulary[merge.Replace(" ", "", StringComparison.Ordinal)] = vocabulary.Count;
        }

        return Of(vocabulary, merges);
    }

    /// <summary>A byte-level tokenizer of that vocabulary.</summary>
    public static JsonObject Of(JsonObject vocabulary, string[] merges) => new()
    {
        ["version"] = "1.0",
        ["added_tokens"] = new JsonArray(),
        ["normalizer"] = null,
        ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false },
        ["post_processor"] = null,
        ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
        ["model"] = new JsonObject
        {
            ["type"] = "BPE",
            ["vocab"] = vocabulary,
            ["merges"] = JsonSerializer.SerializeToNode(merges),
        },
    };

    /// <summary>An entry of <c>added_tokens</c>.</summary>
    public static JsonObject Added(int id, string content, bool special = true, bool lstrip = false, bool rstrip = false) => new()
    {
        ["id"] = id,
        ["content"] = content,
        ["special"] = special,
        ["lstrip"] = lstrip,
        ["rstrip"] = rstrip,
        ["single_word"] = false,
        ["normalized"] = !special,
    };
}
