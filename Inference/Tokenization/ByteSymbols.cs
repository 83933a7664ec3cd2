using System.Text;

namespace KvIL.Inference.Tokenization;

/// <summary>The printable character that stands for each byte in a byte-level vocabulary.</summary>
/// <remarks>
/// GPT-2's table (<c>bytes_to_unicode</c>): printable Latin-1 stands for itself, the 68 other bytes are
/// U+0100, U+0101, … in byte order.
/// </remarks>
internal static class ByteSymbols
{
    private const int FirstStandIn = 0x100;

    private static readonly char[] Symbols = MakeSymbols();
    private static readonly Dictionary<char, byte> Bytes =
        Enumerable.Range(0, 256).ToDictionary(b => Symbols[b], b => (byte)b);

    public static char Symbol(byte value) => Symbols[value];

    /// <summary>The bytes that a token of the vocabulary stands for.</summary>
    /// <remarks>A token with a character outside the table stands for its own UTF-8.</remarks>
    public static byte[] BytesOf(string token)
    {
        byte[] bytes = new byte[token.Length];
        for (int i = 0; i < bytes.Length; i++)
        {
            if (!Bytes.TryGetValue(token[i], out bytes[i]))
            {
                return Encoding.UTF8.GetBytes(token);
            }
        }

        return bytes;
    }

    /// <summary>Spells a word, which is valid UTF-16, by the symbols of its UTF-8 bytes.</summary>
    public static char[] Spell(ReadOnlySpan<char> word)
    {
        char[] symbols = new char[Encoding.UTF8.GetByteCount(word)];
        int count = 0;
        Span<byte> utf8 = stackalloc byte[4];
        foreach (Rune rune in word.EnumerateRunes())
        {
            int length = rune.EncodeToUtf8(utf8);
            foreach (byte value in utf8[..length])
            {
                symbols[count++] = Symbols[value];
            }
        }

        return symbols;
    }

    private static char[] MakeSymbols()
    {
        int standIn = FirstStandIn;
        return
        [
            .. Enumerable.Range(0, 256).Select(b =>
                b is (>= '!' and <= '~') or (>= '¡' and <= '¬') or (>= '®' and <= 'ÿ') ? (char)b : (char)standIn++),
        ];
    }
}
