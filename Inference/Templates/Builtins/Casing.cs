using System.Globalization;
using System.Text;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>Upper, lower and title case as Python has them: with the mappings that change the number of characters.</summary>
internal static class Casing
{
    // A character, then its upper case, where that is several characters (Unicode's SpecialCasing.txt).
    private const string Several =
        "\u00dfSS \u0149\u02bcN \u01f0J\u030c \u0390\u0399\u0308\u0301 \u03b0\u03a5\u0308\u0301 \u0587\u0535\u0552 \u1e96H\u0331 "
        + "\u1e97T\u0308 \u1e98W\u030a \u1e99Y\u030a \u1e9aA\u02be \u1f50\u03a5\u0313 \u1f52\u03a5\u0313\u0300 "
        + "\u1f54\u03a5\u0313\u0301 \u1f56\u03a5\u0313\u0342 \u1fb2\u1fba\u0399 \u1fb3\u0391\u0399 \u1fb4\u0386\u0399 "
        + "\u1fb6\u0391\u0342 \u1fb7\u0391\u0342\u0399 \u1fbc\u0391\u0399 \u1fc2\u1fca\u0399 \u1fc3\u0397\u0399 \u1fc4\u0389\u0399 "
        + "\u1fc6\u0397\u0342 \u1fc7\u0397\u0342\u0399 \u1fcc\u0397\u0399 \u1fd2\u0399\u0308\u0300 \u1fd3\u0399\u0308\u0301 "
        + "\u1fd6\u0399\u0342 \u1fd7\u0399\u0308\u0342 \u1fe2\u03a5\u0308\u0300 \u1fe3\u03a5\u0308\u0301 \u1fe4\u03a1\u0313 "
        + "\u1fe6\u03a5\u0342 \u1fe7\u03a5\u0308\u0342 \u1ff2\u1ffa\u0399 \u1ff3\u03a9\u0399 \u1ff4\u038f\u0399 \u1ff6\u03a9\u0342 "
        + "\u1ff7\u03a9\u0342\u0399 \u1ffc\u03a9\u0399 \ufb00FF \ufb01FI \ufb02FL \ufb03FFI \ufb04FFL \ufb05ST \ufb06ST "
        + "\ufb13\u0544\u0546 \ufb14\u0544\u0535 \ufb15\u0544\u053b \ufb16\u054e\u0546 \ufb17\u0544\u053d";
    private static readonly Dictionary<int, string> SeveralUpper =
        Several.Split(' ').ToDictionary(entry => (int)entry[0], entry => entry[1..]);

    public static string Upper(string text) => Map(text, (_, _, rune) => Upper(rune));

    public static string Lower(string text) => Map(text, Lower);

    /// <summary>The first letter of each word in title case, the others in lower case; a word is a run of letters with case.</summary>
    public static string Title(string text)
    {
        bool inWord = false;
        return Map(text, (all, at, rune) =>
        {
            string mapped = inWord ? Lower(all, at, rune) : TitleOf(rune);
            inWord = IsCased(rune);
            return mapped;
        });
    }

    /// <summary>The first character in title case, the others in lower case.</summary>
    public static string Capitalize(string text) => Map(text, (all, at, rune) => at == 0 ? TitleOf(rune) : Lower(all, at, rune));

    /// <summary>Upper case to lower case and back.</summary>
    public static string Swap(string text) => Map(
        text, (all, at, rune) => Rune.IsUpper(rune) ? Lower(all, at, rune) : Rune.IsLower(rune) ? Upper(rune) : rune.ToString());

    public static bool IsCased(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter
        or UnicodeCategory.TitlecaseLetter || rune.Value is (>= 0x2160 and <= 0x217f) or (>= 0x24b6 and <= 0x24e9);

    private static string Map(string text, Func<string, int, Rune, string> map)
    {
        StringBuilder mapped = new(text.Length);
        for (int at = 0; at < text.Length;)
        {
            if (!Rune.TryGetRuneAt(text, at, out Rune rune))
            {
                mapped.Append(text[at++]);
                continue;
            }

            mapped.Append(map(text, at, rune));
            at += rune.Utf16SequenceLength;
        }

        return mapped.ToString();
    }

    private static string Upper(Rune rune) => rune.Value switch
    {
        >= 0x1f80 and <= 0x1faf => $"{(char)((rune.Value < 0x1f90 ? 0x1f08 : rune.Value < 0x1fa0 ? 0x1f28 : 0x1f68) + (rune.Value & 7))}\u0399",
        0x131 => "I",
        0x17f => "S",
        _ => SeveralUpper.GetValueOrDefault(rune.Value) ?? Rune.ToUpperInvariant(rune).ToString(),
    };

    private static string TitleOf(Rune rune) => rune.Value switch
    {
        >= 0x1f80 and <= 0x1faf => ((char)(rune.Value | 8)).ToString(),
        0x1fb3 or 0x1fc3 or 0x1ff3 => ((char)(rune.Value + 9)).ToString(),
        0x1fbc or 0x1fcc or 0x1ffc => rune.ToString(),
        >= 0x1c4 and <= 0x1cc => ((char)(rune.Value < 0x1c7 ? 0x1c5 : rune.Value < 0x1ca ? 0x1c8 : 0x1cb)).ToString(),
        >= 0x1f1 and <= 0x1f3 => "\u01f2",
        >= 0x10d0 and <= 0x10ff => rune.ToString(),
        _ when SeveralUpper.GetValueOrDefault(rune.Value) is string several => several[0] + Lower(several[1..]).Replace('\u03b9', '\u0345'),
        _ => Upper(rune),
    };

    // A capital sigma at the end of a word becomes a final one.
    private static string Lower(string text, int at, Rune rune) => rune.Value switch
    {
        0x130 => "i\u0307",
        0x3a3 => CasedBefore(text, at) && !CasedAfter(text, at + 1) ? "\u03c2" : "\u03c3",
        _ => Rune.ToLowerInvariant(rune).ToString(),
    };

    private static bool CasedBefore(string text, int at)
    {
        while (at > 0 && Rune.DecodeLastFromUtf16(text.AsSpan(0, at), out Rune rune, out int length) == System.Buffers.OperationStatus.Done)
        {
            if (!IsIgnored(rune))
            {
                return IsCased(rune);
            }

            at -= length;
        }

        return false;
    }

    private static bool CasedAfter(string text, int at)
    {
        while (at < text.Length && Rune.TryGetRuneAt(text, at, out Rune rune))
        {
            if (!IsIgnored(rune))
            {
                return IsCased(rune);
            }

            at += rune.Utf16SequenceLength;
        }

        return false;
    }

    private static bool IsIgnored(Rune rune) => rune.Value is '\'' or '.' or ':' or '^' or '`' or 0xa8 or 0xad or 0xaf or 0xb4 or 0xb7 or 0xb8 or 0x2018 or 0x2019 or 0x2024 or 0x2027
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format
            or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;
}
