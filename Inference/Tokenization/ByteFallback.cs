using System.Globalization;

namespace KvIL.Inference.Tokenization;

/// <summary>Tokens that stand for single bytes, spelled <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>.</summary>
internal static class ByteFallback
{
    /// <summary>The spelling of a byte's token.</summary>
    public static string Spelling(byte value) => $"<0x{value:X2}>";

    /// <summary>The byte that a token stands for; null where it is another token.</summary>
    public static byte? ByteOf(string spelling) =>
        spelling.Length == 6 && spelling.StartsWith("<0x", StringComparison.Ordinal) && spelling[5] == '>'
        && byte.TryParse(spelling.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value)
            ? value
            : null;

    /// <summary>The tokens of all bytes; null in the place of one that the vocabulary lacks.</summary>
    public static int?[] Find(Vocabulary vocabulary) =>
        [.. Enumerable.Range(0, 256).Select(value => vocabulary.Find(Spelling((byte)value)))];
}
