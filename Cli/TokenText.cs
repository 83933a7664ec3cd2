using System.Globalization;
using System.Text;
using System.Text.Unicode;
using KvIL.Inference.Tokenization;

namespace KvIL.Cli;

/// <summary>Tokens as a person reads them: what cannot be seen is spelled out.</summary>
internal static class TokenText
{
    /// <summary>Special tokens bare, text in quotes, bytes that are no whole characters as numbers.</summary>
    public static string Quoted(ITokenizer tokenizer, int id)
    {
        if (tokenizer.IsSpecial(id))
        {
            return Escape(tokenizer.TokenOf(id) ?? "");
        }

        ReadOnlySpan<byte> utf8 = tokenizer.BytesOf(id).Span;
        return Utf8.IsValid(utf8) ? Quote(Encoding.UTF8.GetString(utf8)) : $"bytes {Convert.ToHexString(utf8)}";
    }

    /// <summary>The text that a token stands for; bytes that are no whole characters as numbers in angle brackets.</summary>
    public static string Plain(ITokenizer? tokenizer, int id)
    {
        if (tokenizer is null)
        {
            return $"⟨{id.ToString(CultureInfo.InvariantCulture)}⟩";
        }

        ReadOnlySpan<byte> utf8 = tokenizer.BytesOf(id).Span;
        return tokenizer.IsSpecial(id) ? tokenizer.TokenOf(id) ?? ""
            : Utf8.IsValid(utf8) ? Encoding.UTF8.GetString(utf8) : $"⟨{Convert.ToHexString(utf8)}⟩";
    }

    /// <summary>A text in quotes, escaped.</summary>
    public static string Quote(string text) => $"\"{Escape(text)}\"";

    /// <summary>A text on one line, with everything that cannot be seen spelled out.</summary>
    public static string Escape(string text)
    {
        StringBuilder escaped = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            escaped.Append(rune.Value switch
            {
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '"' => "\\\"",
                '\\' => "\\\\",
                _ when rune.Value != ' ' && NeedsNumber(rune) => $"\\u{{{rune.Value:x}}}",
                _ => rune.ToString(),
            });
        }

        return escaped.ToString();
    }

    /// <summary>A text on its lines, each end marked, with everything else that cannot be seen spelled out.</summary>
    public static string Readable(string text) => string.Concat(text.EnumerateRunes().Select(rune => rune.Value switch
    {
        '\n' => "↵\n",
        '\t' => "⇥\t",
        _ when rune.Value != ' ' && NeedsNumber(rune) => $"\\u{{{rune.Value:x}}}",
        _ => rune.ToString(),
    }));

    private static bool NeedsNumber(Rune rune) => Rune.GetUnicodeCategory(rune) is
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator
        or UnicodeCategory.ParagraphSeparator or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned;
}
