using System.Text;
using System.Text.Json.Nodes;
using KvIL.Inference;
using KvIL.Inference.Files;
using KvIL.Inference.Tokenization;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Tokenization;

/// <summary>Damaged tokenizers either load, and then encode and decode, or are refused in one sentence.</summary>
public sealed class TokenizerFuzzTests : IDisposable
{
    private const int Mutations = 400;
    private const string Text = "ab a<s> <|im_end|>  12345 é😀\n\n\tx'll";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void GGUF_byte_level() => Fuzz("fuzz.gguf", GgufBytes.Of(GgufVocabularies.Metadata(GgufVocabularies.ByteLevel("llama-bpe", "a b", "ab c"))), 31);

    [Fact]
    public void GGUF_sentence_pieces() => Fuzz("fuzz.gguf", GgufBytes.Of(GgufVocabularies.Metadata(GgufVocabularies.SentencePiece(("a", -1), ("ab", 2)))), 32);

    [Fact]
    public void Llama2c() => Fuzz("fuzz.bin", Llama2cTokenizerTests.FileOf((" ", -1), ("a", -2), (" a", -3)), 33);

    [Fact]
    public void Json_of_many_parts()
    {
        JsonObject file = TokenizerFile.Of();
        file["model"]!["vocab"] = new JsonObject { ["a"] = 0, ["b"] = 1, ["ab"] = 2, ["<s>"] = 3 };
        file["model"]!["merges"] = JsonNode.Parse("""["a b"]""");
        file["model"]!["byte_fallback"] = true;
        file["model"]!["ignore_merges"] = true;
        file["added_tokens"]!.AsArray().Add(TokenizerFile.Added(3, "<s>", rstrip: true));
        file["normalizer"] = JsonNode.Parse("""
            {"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"Regex":"x+|[^\\p{L}]{3,5}(?=\\s)"},"content":"b"}]}
            """);
        file["pre_tokenizer"] = JsonNode.Parse("""
            {"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},
             {"type":"Split","pattern":{"Regex":"(?i:'s|'ll)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s+(?!\\S)|\\s+"},"behavior":"MergedWithPrevious","invert":false},
             {"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true},{"type":"ByteLevel","add_prefix_space":true,"use_regex":true}]}
            """);
        Fuzz("tokenizer.json", Encoding.UTF8.GetBytes(file.ToJsonString()), 34);
    }

    private void Fuzz(string name, byte[] original, int seed)
    {
        var mutator = new Mutator(seed);
        Assert.True(LoadsOrIsRefused(_directory.Write(name, original), 0));
        int loaded = 0;
        for (int i = 0; i < Mutations; i++)
        {
            loaded += LoadsOrIsRefused(_directory.Write(name, mutator.Mutate(original)), i) ? 1 : 0;
        }

        Assert.InRange(loaded, 1, Mutations - 1);
    }

    private static bool LoadsOrIsRefused(string path, int number)
    {
        try
        {
            ITokenizer tokenizer = Tokenizers.Load(path);
            foreach (bool special in (bool[])[false, true])
            {
                int[] ids = tokenizer.Encode(Text, parseSpecial: special);
                Assert.All(ids, id => Assert.InRange(id, 0, tokenizer.VocabSize - 1));
                tokenizer.Decode(ids, skipSpecial: special);
            }

            return true;
        }
        catch (Exception refusal) when (refusal is ModelFileException or RequestException)
        {
            Refusal.IsOneSentence(refusal.Message);
            return false;
        }
        catch (Exception failure)
        {
            Assert.Fail($"Case {number}: {failure}");
            return false;
        }
    }
}
