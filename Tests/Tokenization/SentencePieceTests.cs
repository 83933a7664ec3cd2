using System.Diagnostics;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using KvIL.Inference.Tokenization;
using KvIL.Inference.Tokenization.Gguf;
using Xunit;

namespace KvIL.Tests.Tokenization;

public sealed class SentencePieceTests
{
    private const int FirstPiece = 259;

    // Scores with ties, below and above 0, and pieces that overlap; ids in this order from 259.
    private static readonly (string Piece, float Score)[] Pieces =
    [
        ("\u2581", -10), ("a", -11), ("b", -12), ("c", -13), ("ab", -1), ("bc", -1), ("\u2581a", -2), ("aa", 0.5f), ("abc", -3),
        ("aab", -1.5f), ("\u2581\u2581", -0.5f), ("ca", -0f), ("bca", 0), ("é", -14), ("éa", -4), ("<s", 1), ("<", -15), ("s", -15),
    ];

    private static readonly Tokenizer Small = GgufTokenizer.Create(GgufVocabularies.SentencePiece(Pieces));

    private static readonly Arbitrary<string> Letters = Arb.From(
        Gen.Elements("a", "b", "c", " ", "ab", "aa", "é", "ж", "😀", "<s>").ArrayOf().Select(string.Concat));

    [Fact]
    public void Merges_are_what_merging_the_best_pair_again_and_again_gives() => Prop.ForAll(
        Letters, text => Small.Encode(text, addBos: false).SequenceEqual(MergeOneByOne(text))).Check(Properties.Config(500));

    [Fact]
    public void Text_comes_back() => Prop.ForAll(Texts.Valid, text =>
    {
        string plain = text.Replace('\u2581', ' ');
        return Small.Decode(Small.Encode(plain)) == plain;
    }).Check(Properties.Config(200));

    [Fact]
    public void Streams_give_what_decoding_gives() => Prop.ForAll(
        Arb.From(Gen.OneOf(Gen.Choose(0, 280), Gen.Choose(3, 258), Gen.Choose(190, 258)).ArrayOf()), ids =>
        {
            TokenStream stream = Small.CreateStream();
            return string.Concat(ids.Select(stream.Append)) + stream.Flush() == Small.Decode(ids);
        }).Check(Properties.Config(200));

    [Fact]
    public void A_blank_goes_in_front_and_is_taken_away_once()
    {
        Assert.Equal([1, FirstPiece + 6], Small.Encode("a"));
        Assert.Equal([1], Small.Encode(""));
        Assert.Equal("a", Small.Decode([1, FirstPiece + 6]));
        Assert.Equal(" a", Small.Decode([FirstPiece, FirstPiece + 6]));
        Assert.Equal("a a", Small.Decode([FirstPiece + 6, FirstPiece + 6]));
        TokenStream continues = Small.CreateStream(continues: true);
        Assert.Equal(" a", continues.Append(FirstPiece + 6));
    }

    [Fact]
    public void A_blank_follows_each_token_that_was_asked_for()
    {
        int[] parsed = Small.Encode("a<s>a", addBos: false, parseSpecial: true);
        Assert.Equal([FirstPiece + 6, 1, FirstPiece + 6], parsed);
        Assert.Equal("a a", Small.Decode(parsed));
        Assert.Equal("a<s> a", Small.Decode(parsed, skipSpecial: false));
    }

    [Fact]
    public void Text_never_becomes_a_control_token() =>
        Assert.Equal([FirstPiece, FirstPiece + 15, 3 + '>'], Small.Encode("<s>", addBos: false));

    [Fact]
    public void Byte_tokens_wait_for_the_whole_character()
    {
        TokenStream stream = Small.CreateStream(continues: true);
        Assert.Equal(["", "", "", "😀"], new[] { 0xF0, 0x9F, 0x98, 0x80 }.Select(value => stream.Append(3 + value)));
    }

    [Fact]
    public void A_byte_without_a_token_is_the_unknown_token()
    {
        GgufVocabulary vocabulary = GgufVocabularies.SentencePiece(Pieces);
        vocabulary.Tokens[3 + 0xD0] = "[gone]";
        Assert.Equal([FirstPiece, 0, 3 + 0xB6], GgufTokenizer.Create(vocabulary).Encode("ж", addBos: false));
    }

    [Fact]
    public void Without_a_blank_in_front_none_is_taken_away()
    {
        Tokenizer tokenizer = GgufTokenizer.Create(GgufVocabularies.SentencePiece(Pieces) with { AddsBlank = false });
        Assert.Equal([1, FirstPiece + 1], tokenizer.Encode("a"));
        Assert.Equal(" a", tokenizer.Decode([FirstPiece + 6]));
    }

    [Fact]
    public void A_long_word_takes_seconds()
    {
        var watch = Stopwatch.StartNew();
        int[] ids = Small.Encode(new string('a', 1 << 18));
        Assert.InRange(ids.Length, 1 << 17, (1 << 17) + 3);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(30), $"It took {watch.Elapsed}.");
    }

    /// <summary>The definition: as long as neighbours spell a token, merge the first pair of highest score.</summary>
    private static IEnumerable<int> MergeOneByOne(string text)
    {
        Dictionary<string, (int Id, float Score)> pieces = Pieces.Select((p, i) => (p.Piece, Id: FirstPiece + i, p.Score))
            .ToDictionary(p => p.Piece, p => (p.Id, p.Score));
        List<string> symbols = text.Length == 0 ? [] : [.. ("\u2581" + text.Replace(' ', '\u2581')).EnumerateRunes().Select(rune => rune.ToString())];
        while (true)
        {
            int best = -1;
            for (int i = 0; i + 1 < symbols.Count; i++)
            {
                if (pieces.TryGetValue(symbols[i] + symbols[i + 1], out var piece)
                    && (best < 0 || piece.Score > pieces[symbols[best] + symbols[best + 1]].Score))
                {
                    best = i;
                }
            }

            if (best < 0)
            {
                return symbols.SelectMany(symbol => pieces.TryGetValue(symbol, out var piece)
                    ? [piece.Id]
                    : Encoding.UTF8.GetBytes(symbol).Select(value => 3 + value));
            }

            symbols[best] += symbols[best + 1];
            symbols.RemoveAt(best + 1);
        }
    }
}
