using System.Globalization;
using System.Text;

namespace KvIL.Inference.Tokenization;

/// <summary>Cuts text into the words that byte-pair merges stay within.</summary>
/// <remarks>
/// GPT-2's pattern, tried in this order:
/// <code>
/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
/// </code>
/// Written by hand because a .NET Regex sees a character beyond U+FFFF as two halves that are neither letter nor digit.
/// </remarks>
internal static class Gpt2Pattern
{
    private enum Kind
    {
        Space,
        Letter,
        Number,
        Other,
    }

    /// <summary>Length in bytes of the word at the start of <paramref name="text"/>, which is valid UTF-8 and not empty.</summary>
    public static int WordLength(ReadOnlySpan<byte> text)
    {
        if (ContractionLength(text) is > 0 and int contraction)
        {
            return contraction;
        }

        int start = text[0] == ' ' && text.Length > 1 && KindAt(text[1..], out _) != Kind.Space ? 1 : 0;
        Kind kind = KindAt(text[start..], out _);
        int end = start;
        int last = start;
        while (end < text.Length && KindAt(text[end..], out int length) == kind)
        {
            last = end;
            end += length;
        }

        // \s+(?!\S) leaves the last blank before a word to the next match; a single blank falls to \s+.
        return kind == Kind.Space && end < text.Length && last > 0 ? last : end;
    }

    private static int ContractionLength(ReadOnlySpan<byte> text) =>
        text.StartsWith("'s"u8) || text.StartsWith("'t"u8) || text.StartsWith("'m"u8) || text.StartsWith("'d"u8) ? 2
        : text.StartsWith("'re"u8) || text.StartsWith("'ve"u8) || text.StartsWith("'ll"u8) ? 3
        : 0;

    private static Kind KindAt(ReadOnlySpan<byte> text, out int length)
    {
        Rune.DecodeFromUtf8(text, out Rune rune, out length);
        if (Rune.IsWhiteSpace(rune))
        {
            return Kind.Space;
        }

        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
            _ => Kind.Other,
        };
    }
}
