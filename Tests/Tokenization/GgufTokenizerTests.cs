using FsCheck;
using FsCheck.Fluent;
using KvIL.Inference.Tokenization;
using KvIL.Inference.Tokenization.Gguf;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Tokenization;

public sealed class GgufTokenizerTests : IDisposable
{
    private static readonly Tokenizer Bytes = GgufTokenizer.Create(GgufVocabularies.ByteLevel("gpt-2", "h e", "l l", "he ll", "hell o", "\u0120 a"));

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Byte_level_text_comes_back() => Prop.ForAll(
        Texts.Valid, text => Bytes.Decode(Bytes.Encode(text)) == text && Bytes.Decode(Bytes.Encode(text, parseSpecial: true), skipSpecial: false) == text)
        .Check(Properties.Config(100));

    [Fact]
    public void Merges_are_applied_and_special_tokens_only_when_asked_for()
    {
        Assert.Equal([262, ' ', 'x'], Bytes.Encode("hello x"));
        Assert.Equal([.. GgufVocabularies.End.Select(c => (int)c)], Bytes.Encode(GgufVocabularies.End).Where(id => id is < 256));
        Assert.DoesNotContain(257, Bytes.Encode(GgufVocabularies.End));
        Assert.Equal(['a', 257, 256], Bytes.Encode("a<|im_end|><|start|>", parseSpecial: true));
        Assert.Equal(['a', 258, 'b'], Bytes.Encode("a<word>b"));
        Assert.Equal("a<word>b", Bytes.Decode(['a', 258, 'b']));
        Assert.Equal([257], Bytes.EndOfTurnIds);
        Assert.Equal((256, false), (Bytes.BosId, Bytes.AddsBos));
    }

    [Fact]
    public void Names_say_whether_a_start_token_goes_in_front_and_whole_words_are_taken()
    {
        GgufVocabulary vocabulary = GgufVocabularies.ByteLevel("gpt-2", "a b", "b c", "ab c");
        vocabulary = vocabulary with { Merges = ["a b", "b c"] }; // "abc" is a token that no merge makes
        Assert.Equal([259, 'c'], GgufTokenizer.Create(vocabulary).Encode("abc"));
        Assert.Equal([256, 261], GgufTokenizer.Create(vocabulary with { Pre = "llama-bpe" }).Encode("abc"));
        Assert.Equal([261], GgufTokenizer.Create(vocabulary with { Pre = "tekken", AddsBos = false }).Encode("abc"));
    }

    [Fact]
    public void A_missing_byte_is_dropped_but_keeps_its_neighbours_apart()
    {
        GgufVocabulary vocabulary = GgufVocabularies.ByteLevel("gpt-2", "! !");
        vocabulary.Tokens[4] = "[gone]";
        Tokenizer tokenizer = GgufTokenizer.Create(vocabulary);
        Assert.Equal(['!', '!'], tokenizer.Encode("!\u0004!"));
        Assert.Equal([259], tokenizer.Encode("!!"));
    }

    [Fact]
    public void Merges_may_go_through_symbols_that_are_no_tokens()
    {
        GgufVocabulary vocabulary = GgufVocabularies.ByteLevel("gpt-2", "a b", "ab c");
        vocabulary.Tokens[259] = "[gone]"; // "ab"
        Tokenizer tokenizer = GgufTokenizer.Create(vocabulary);
        Assert.Equal([260], tokenizer.Encode("abc"));
        Assert.Equal(['a', 'b', 'd'], tokenizer.Encode("abd"));
    }

    [Fact]
    public void Longer_tokens_are_looked_for_first()
    {
        GgufVocabulary vocabulary = GgufVocabularies.ByteLevel("gpt-2", "x y", "x z");
        (vocabulary.Tokens[259], vocabulary.Tokens[260]) = ("ab", "bcd");
        (vocabulary.Types![259], vocabulary.Types[260]) = (4, 4);
        Tokenizer tokenizer = GgufTokenizer.Create(vocabulary with { Merges = [] });
        Assert.Equal(['a', 260], tokenizer.Encode("abcd"));
        Assert.Equal([259, 'c'], tokenizer.Encode("abc"));
    }

    [Fact]
    public void Plain_characters_with_byte_fallback_take_merges_too()
    {
        GgufVocabulary vocabulary = GgufVocabularies.SentencePiece(("\u2581", 0), ("a", 0), ("\u2581a", 0), ("\n", 0), ("\n\n", 0));
        Tokenizer tokenizer = GgufTokenizer.Create(vocabulary with { Model = "gemma4", Merges = ["\u2581 a", "\n \n"] });
        Assert.Equal([1, 260, 261, 263, 3 + 0xC3, 3 + 0xA9], tokenizer.Encode("a a\n\né"));
        Assert.Equal("a a\n\né", tokenizer.Decode(tokenizer.Encode("a a\n\né")));
    }

    [Theory]
    [InlineData("bert", "word pieces, which are not supported")]
    [InlineData("t5", "a unigram model, which is not supported")]
    [InlineData("rwkv", "RWKV's greedy tokenizer, which is not supported")]
    [InlineData("odd", "'odd', a tokenizer that is not supported")]
    public void Other_kinds_are_refused_by_name(string model, string message) =>
        Refuses(GgufVocabularies.ByteLevel("gpt-2") with { Model = model }, message);

    [Fact]
    public void Missing_and_broken_parts_are_refused()
    {
        GgufVocabulary vocabulary = GgufVocabularies.ByteLevel("gpt-2", "a b");
        Refuses(vocabulary with { Pre = "kimi-k2" }, "'tokenizer.ggml.pre' is 'kimi-k2', a way of cutting text into words that is not supported");
        Refuses(vocabulary with { Merges = null }, "'tokenizer.ggml.merges' is missing");
        Refuses(vocabulary with { Merges = ["ab"] }, "its element 0, 'ab', is not two tokens");
        Refuses(vocabulary with { Merges = ["a "] }, "is not two tokens");
        Refuses(GgufVocabularies.SentencePiece(("a", float.NaN)), "a score is not a number");
    }

    [Fact]
    public void Files_whose_parts_do_not_fit_are_refused()
    {
        (string Key, object Value)[] metadata = GgufVocabularies.Metadata(GgufVocabularies.ByteLevel("gpt-2", "a b"));
        string path = _directory.Write("vocabulary.gguf", GgufBytes.Of(metadata));
        Assert.Equal([259], Tokenizers.Load(path).Encode("ab"));

        void Refused(string pattern, params (string Key, object Value)[] replaced)
        {
            Dictionary<string, object> changed = metadata.ToDictionary(pair => pair.Key, pair => pair.Value);
            foreach ((string key, object value) in replaced)
            {
                changed[key] = value;
            }

            _directory.Write("vocabulary.gguf", GgufBytes.Of([.. changed.Select(pair => (pair.Key, pair.Value))]));
            Refusal.Is(pattern, path, () => Tokenizers.Load(path));
        }

        Refused("it has 3 elements for 260 tokens", ("tokenizer.ggml.token_type", new[] { 1, 1, 1 }));
        Refused("it has 1 elements for 260 tokens", ("tokenizer.ggml.scores", new[] { 1f }));
        Refused("the vocabulary has 0 tokens", ("tokenizer.ggml.tokens", Array.Empty<string>()));
        Refused("expected an array of strings", ("tokenizer.ggml.tokens", "a"));
        Refused("expected a boolean", ("tokenizer.ggml.add_bos_token", 1));
        _directory.Write("vocabulary.gguf", GgufBytes.Of([("general.architecture", "llama")]));
        Refusal.Is("the metadata key 'tokenizer.ggml.tokens' is missing", path, () => Tokenizers.Load(path));
    }

    private static void Refuses(GgufVocabulary vocabulary, string pattern) =>
        Refusal.Is(pattern, "test.gguf", () => GgufTokenizer.Create(vocabulary));
}
