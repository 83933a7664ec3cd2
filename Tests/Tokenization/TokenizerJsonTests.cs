using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using KvIL.Inference.Tokenization;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Tokenization;

public sealed class TokenizerJsonTests : IDisposable
{
    private const string EndOfText = "<|endoftext|>";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void The_demo_tokenizer_gives_its_vectors()
    {
        using JsonDocument vectors = JsonDocument.Parse(
            File.ReadAllBytes(Repo.PathOf("models/kvil-demo/tokenizer-vectors.json")));
        Assert.Equal(69, vectors.RootElement.GetArrayLength());
        foreach (JsonElement vector in vectors.RootElement.EnumerateArray())
        {
            string text = vector.GetProperty("text").GetString()!;
            int[] expected = Ids(vector.GetProperty("ids"));
            AssertIds(expected, Demo.Tokenizer, text);
            Assert.Equal([0, .. expected], Demo.Tokenizer.Encode(text));
        }
    }

    [Fact]
    public void The_demo_tokenizer_knows_its_marks()
    {
        ITokenizer tokenizer = Demo.Tokenizer;
        Assert.Equal((1024, 0, true), (tokenizer.VocabSize, tokenizer.BosId, tokenizer.AddsBos));
        Assert.Equal([0], tokenizer.EosIds);
        Assert.Equal([0], tokenizer.Encode(""));
        Assert.Empty(tokenizer.Encode("", addBos: false));
    }

    [Fact]
    public void Decode_undoes_Encode() => Prop.ForAll(
        Texts.Valid,
        text => Demo.Tokenizer.Decode(Demo.Tokenizer.Encode(text)) == text
            && Demo.Tokenizer.Decode(Demo.Tokenizer.Encode(text, parseSpecial: true), skipSpecial: false) == EndOfText + text)
        .Check(Properties.Config(100));

    [Fact]
    public void The_spelling_of_a_special_token_is_text_unless_asked_otherwise()
    {
        const string text = $"a{EndOfText} b";
        int[] plain = Demo.Tokenizer.Encode(text, addBos: false);
        Assert.DoesNotContain(0, plain);
        Assert.Equal(text, Demo.Tokenizer.Decode(plain));
        int[] parsed = Demo.Tokenizer.Encode(text, addBos: false, parseSpecial: true);
        Assert.Equal([98, 0, .. Demo.Tokenizer.Encode(" b", addBos: false)], parsed);
        Assert.Equal("a b", Demo.Tokenizer.Decode(parsed));
        Assert.Equal(text, Demo.Tokenizer.Decode(parsed, skipSpecial: false));
    }

    [Fact]
    public void A_special_token_cannot_be_reached_through_a_whole_word()
    {
        JsonObject file = TokenizerFile.Of("a b");
        file["pre_tokenizer"]!["use_regex"] = false;
        file["model"]!["ignore_merges"] = true;
        file["model"]!["vocab"]!["<x>"] = 257;
        file["added_tokens"]!.AsArray().Add(TokenizerFile.Added(257, "<x>"));
        ITokenizer tokenizer = Load(file);
        Assert.Equal(['<', 'x', '>'], tokenizer.Encode("<x>"));
        Assert.Equal([257], tokenizer.Encode("<x>", parseSpecial: true));
    }

    [Fact]
    public void A_lone_surrogate_becomes_the_replacement_character()
    {
        string broken = "a\ud83d b\ude00";
        Assert.Equal("a\ufffd b\ufffd", Demo.Tokenizer.Decode(Demo.Tokenizer.Encode(broken)));
    }

    [Fact]
    public void Ids_without_a_token_decode_to_nothing() => Assert.Equal("a", Demo.Tokenizer.Decode([98, 1024, 5000, -1]));

    [Fact]
    public void A_long_word_of_one_letter_takes_seconds()
    {
        var watch = Stopwatch.StartNew();
        ITokenizer tokenizer = Load(TokenizerFile.Of("a a", "aa aa", "aaaa aaaa"));
        int[] ids = tokenizer.Encode(new string('a', 1 << 18));
        Assert.Equal((1 << 18) / 8, ids.Length);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(30), $"It took {watch.Elapsed}.");
    }

    [Fact]
    public void Merges_go_by_rank_and_from_the_left()
    {
        string[] merges = ["b c", "a a", "a b", "ab c", "aa a", "bc bc", "aa ab"];
        ITokenizer tokenizer = Load(TokenizerFile.Of(merges));
        Prop.ForAll(
            Texts.Letters,
            word => tokenizer.Encode(word).Select(id => tokenizer.Decode([id])).SequenceEqual(MergeOneByOne(word, merges)))
            .Check(Properties.Config(100));
    }

    [Fact]
    public void Merges_may_be_pairs_and_whole_words_may_go_first()
    {
        JsonObject file = TokenizerFile.Of("a b", "b c", "ab c");
        file["model"]!["merges"] = JsonNode.Parse("""[["a","b"],["b","c"]]""");
        Assert.Equal([256, 'c'], Load(file).Encode("abc"));
        file["model"]!["ignore_merges"] = true;
        Assert.Equal([258], Load(file).Encode("abc"));
    }

    [Fact]
    public void A_prefix_space_is_added_to_each_text_that_has_none()
    {
        JsonObject file = TokenizerFile.Of();
        file["pre_tokenizer"]!["add_prefix_space"] = true;
        file["added_tokens"]!.AsArray().Add(TokenizerFile.Added(300, "<x>"));
        ITokenizer tokenizer = Load(file);
        Assert.Equal([' ', 'a', 300, ' ', 'b', 300], tokenizer.Encode("a<x> b<x>", parseSpecial: true));
        Assert.Empty(tokenizer.Encode(""));
    }

    [Fact]
    public void Added_tokens_match_leftmost_then_longest_and_may_take_space()
    {
        JsonObject file = TokenizerFile.Of();
        JsonArray added = file["added_tokens"]!.AsArray();
        added.Add(TokenizerFile.Added(300, "ab", special: false));
        added.Add(TokenizerFile.Added(301, "abc", special: false));
        added.Add(TokenizerFile.Added(302, "<l>", lstrip: true));
        added.Add(TokenizerFile.Added(303, "<r>", rstrip: true));
        ITokenizer tokenizer = Load(file);
        Assert.Equal([301, 'd', 300, 'x'], tokenizer.Encode("abcdabx"));
        Assert.Equal(
            ['y', 302, ' ', 'z', 303, 'y', 302, 303],
            tokenizer.Encode("y \u3000<l> z<r>\n y<l><r> ", parseSpecial: true));
        Assert.Equal("abc", tokenizer.Decode([301]));
        Assert.Equal(304, tokenizer.VocabSize);
    }

    [Fact]
    public void A_byte_without_a_token_is_left_out()
    {
        JsonObject file = TokenizerFile.Of();
        file["model"]!["vocab"]!.AsObject().Remove("b");
        Assert.Equal(['a', 'c'], Load(file).Encode("abc"));
    }

    [Fact]
    public void Marks_come_from_the_template_and_the_tokenizer_config()
    {
        JsonObject file = TokenizerFile.Of();
        file["added_tokens"]!.AsArray().Add(TokenizerFile.Added(300, "<s>"));
        file["added_tokens"]!.AsArray().Add(TokenizerFile.Added(301, "</s>"));
        _directory.Write("tokenizer_config.json", """{"bos_token":{"content":"<s>"},"eos_token":"</s>"}""");
        ITokenizer tokenizer = Load(file);
        Assert.Equal((300, false), (tokenizer.BosId, tokenizer.AddsBos));
        Assert.Equal([301], tokenizer.EosIds);
        Assert.Equal(['a'], tokenizer.Encode("a"));

        file["post_processor"] = JsonNode.Parse("""
            {"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing",
             "single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
             "special_tokens":{"<s>":{"id":"<s>","ids":[300],"tokens":["<s>"]}}}]}
            """);
        Assert.Equal([300, 'a'], Load(file).Encode("a"));
        Assert.Equal(['a'], Load(file).Encode("a", addBos: false));
    }

    [Fact]
    public void A_tokenizer_that_exceeds_the_model_is_refused()
    {
        Tokenizers.EnsureFits(Demo.Tokenizer, 1024, "tokenizer.json");
        Refusal.Is(
            "ids up to 1023, but the model's vocabulary ends at 1022", "tokenizer.json",
            () => Tokenizers.EnsureFits(Demo.Tokenizer, 1023, "tokenizer.json"));
    }

    private static void AssertIds(int[] expected, ITokenizer tokenizer, string text)
    {
        int[] ids = tokenizer.Encode(text, addBos: false);
        Assert.True(
            expected.SequenceEqual(ids), $"{text}: expected {string.Join(' ', expected)}, got {string.Join(' ', ids)}.");
    }

    private static int[] Ids(JsonElement ids) => [.. ids.EnumerateArray().Select(id => id.GetInt32())];

    /// <summary>The definition: as long as any neighbours merge, merge the first pair of lowest rank.</summary>
    private static List<string> MergeOneByOne(string word, string[] merges)
    {
        List<string> symbols = [.. word.Select(letter => letter.ToString())];
        while (true)
        {
            (int Rank, int Position) best = Enumerable.Range(0, Math.Max(0, symbols.Count - 1))
                .Select(i => (Rank: Array.IndexOf(merges, $"{symbols[i]} {symbols[i + 1]}"), Position: i))
                .Where(candidate => candidate.Rank >= 0)
                .DefaultIfEmpty((-1, -1))
                .Min();
            if (best.Position < 0)
            {
                return symbols;
            }

            symbols[best.Position] += symbols[best.Position + 1];
            symbols.RemoveAt(best.Position + 1);
        }
    }

    private ITokenizer Load(JsonObject file) =>
        Tokenizers.Load(_directory.Write("tokenizer.json", file.ToJsonString()));
}
