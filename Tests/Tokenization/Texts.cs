using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace KvIL.Tests.Tokenization;

/// <summary>Generators of text that stresses tokenizers.</summary>
internal static class Texts
{
    private static readonly string[] Fragments =
    [
        " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2003", "\u0085", "\u180e", "'", "'s", "'ll", "'LL", "'re", "the",
        " pass", "key", "A", "é", "e\u0301", "ß", "你好", "кот", "٣", "Ⅷ", "²", "½", "0", "42", "!", "?!", "...", "<|endoftext|>",
        "\ufeff", "\u200d", "\0", "😀", "👩‍👧", "𝒜", "𝟘", "\U00010900", "🇩🇪", "\ufffd", "\U0010ffff",
    ];

    private static readonly Gen<string> AnyRune = Gen.OneOf(
            Gen.Choose(0, 0x7f), Gen.Choose(0x80, 0xd7ff), Gen.Choose(0xe000, 0xffff), Gen.Choose(0x10000, 0x10ffff))
        .Select(value => new Rune(value).ToString());

    /// <summary>Valid UTF-16: fragments that meet the pattern's corners, and any characters at all.</summary>
    public static Arbitrary<string> Valid { get; } = Of(Gen.OneOf(Gen.Elements(Fragments), AnyRune));

    /// <summary>The same without characters beyond U+FFFF, which a .NET Regex cannot classify.</summary>
    public static Arbitrary<string> BasicPlane { get; } = Of(
        Gen.OneOf(Gen.Elements(Fragments), AnyRune).Where(piece => !piece.Any(char.IsSurrogate)));

    /// <summary>Words of few letters, in which merges compete.</summary>
    public static Arbitrary<string> Letters { get; } = Of(Gen.Elements("a", "b", "c", "ab", "aa"));

    private static Arbitrary<string> Of(Gen<string> pieces) => Arb.From(
        pieces.ArrayOf().Select(string.Concat),
        text => Enumerable.Range(0, text.Length)
            .Where(i => !char.IsSurrogate(text[i]))
            .Select(i => text.Remove(i, 1)));
}
