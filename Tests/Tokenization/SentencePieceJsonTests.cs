using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using KvIL.Inference.Tokenization;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Tokenization;

/// <summary>tokenizer.json files of the kind that Llama 2, Mistral, Phi-3 and Gemma have: BPE with byte fallback.</summary>
public sealed class SentencePieceJsonTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Text_comes_back() => Prop.ForAll(Texts.Valid, text =>
    {
        ITokenizer tokenizer = Load(File());
        string plain = text.Replace('\u2581', ' ');
        return tokenizer.Decode(tokenizer.Encode(plain)) == plain;
    }).Check(Properties.Config(50));

    [Fact]
    public void Blanks_are_prepended_and_spelled_and_bytes_stand_for_what_is_missing()
    {
        ITokenizer tokenizer = Load(File());
        Assert.Equal("BPE with byte fallback", tokenizer.Kind);
        Assert.Equal([1, 262, 259, 261], tokenizer.Encode("a  b"));
        Assert.Equal([262, 3 + 0xC3, 3 + 0xA9], tokenizer.Encode("aé", addBos: false));
        Assert.Equal([262, 1, 262], tokenizer.Encode("a<s>a", addBos: false, parseSpecial: true));
        Assert.Equal("a  b", tokenizer.Decode([1, 262, 259, 261]));
    }

    [Fact]
    public void Metaspace_does_the_same_but_within_words()
    {
        JsonObject file = File();
        file["normalizer"] = null;
        file["pre_tokenizer"] = JsonNode.Parse("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}""");
        file["decoder"] = JsonNode.Parse("""{"type":"Sequence","decoders":[{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"},{"type":"ByteFallback"},{"type":"Fuse"}]}""");
        ITokenizer tokenizer = Load(file);
        Assert.Equal([262, 1, 260], tokenizer.Encode("a<s>a", addBos: false, parseSpecial: true));
        Assert.Equal([262], tokenizer.Encode("a", addBos: false));
        Assert.Equal("a é", tokenizer.Decode(tokenizer.Encode("a é")));
    }

    [Fact]
    public void Gemma_spells_blanks_but_prepends_none()
    {
        JsonObject file = File();
        file["normalizer"] = JsonNode.Parse("""{"type":"Replace","pattern":{"String":" "},"content":"▁"}""");
        file["pre_tokenizer"] = JsonNode.Parse("""{"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":false}""");
        file["decoder"] = JsonNode.Parse("""{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}]}""");
        ITokenizer tokenizer = Load(file);
        Assert.Equal([260, 262], tokenizer.Encode("a a", addBos: false));
        Assert.Equal(" a", tokenizer.Decode(tokenizer.Encode(" a")));
    }

    [Fact]
    public void Normalizers_go_in_order_before_tokens_that_are_looked_for_in_normal_text()
    {
        JsonObject file = TokenizerFile.Of();
        file["normalizer"] = JsonNode.Parse("""
            {"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Strip"},{"type":"Replace","pattern":{"Regex":"b+"},"content":"c"}]}
            """);
        file["added_tokens"]!.AsArray().Add(TokenizerFile.Added(300, "abb", special: false)); // normalized: found as "ac"
        ITokenizer tokenizer = Load(file);
        Assert.Equal([0xC3, 0xA9, 300, 'c'], tokenizer.Encode(" e\u0301abbbc\n", addBos: false));
    }

    private static JsonObject File()
    {
        var vocabulary = new JsonObject { ["<unk>"] = 0, ["<s>"] = 1, ["</s>"] = 2 };
        for (int value = 0; value < 256; value++)
        {
            vocabulary[ByteFallback.Spelling((byte)value)] = 3 + value;
        }

        foreach (string piece in (string[])["▁", "a", "▁b", "▁a", "b"])
        {
            vocabulary[piece] = vocabulary.Count;
        }

        JsonObject file = TokenizerFile.Of(vocabulary, ["▁ a", "▁ b"]);
        file["model"]!["byte_fallback"] = true;
        file["model"]!["unk_token"] = "<unk>";
        file["pre_tokenizer"] = null;
        file["added_tokens"] = new JsonArray(TokenizerFile.Added(1, "<s>"), TokenizerFile.Added(2, "</s>"));
        file["normalizer"] = JsonNode.Parse("""
            {"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}
            """);
        file["decoder"] = JsonNode.Parse("""
            {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
             {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}
            """);
        file["post_processor"] = JsonNode.Parse("""
            {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
             "special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}}
            """);
        return file;
    }

    private ITokenizer Load(JsonObject file) => Tokenizers.Load(_directory.Write("tokenizer.json", file.ToJsonString()));
}
