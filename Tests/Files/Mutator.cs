using System.Buffers.Binary;
using System.Text;

namespace KvIL.Tests.Files;

/// <summary>Damages a file's text in one of the ways that break parsers.</summary>
internal sealed class Mutator(int seed)
{
    private static readonly string[] Values =
    [
        "-1", "0", "1e999", "1e-999", "NaN", "null", "true", "{}", "[]", "\"\"", "\"\\ud800\"", "9223372036854775807",
        "9223372036854775808", "18446744073709551615", "4294967296", "2147483648", "0.5", "\"\0\"", ",", "}", "\"", "\\",
    ];

    private readonly Random _random = new(seed);

    public byte[] Mutate(byte[] text)
    {
        for (int count = _random.Next(1, 4); count > 0; count--)
        {
            text = MutateOnce(text);
        }

        return text;
    }

    private byte[] MutateOnce(byte[] text)
    {
        int at = _random.Next(text.Length);
        int length = _random.Next(Math.Min(text.Length - at, 64));
        switch (_random.Next(8))
        {
            case 0:
                byte[] flipped = [.. text];
                flipped[at] ^= (byte)(1 << _random.Next(8));
                return flipped;
            case 1:
                return ReplaceDigit(text, at);
            case 2:
                return text[..Math.Max(at, 1)];
            case 3:
                return Replace(text, at, length, []);
            case 4:
                int from = _random.Next(text.Length - length);
                return Replace(text, at, 0, text[from..(from + length)]);
            case 5:
                string open = _random.Next(2) == 0 ? "[" : "{\"a\":";
                return Replace(text, at, 0, Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(open, _random.Next(1, 2000)))));
            case 6:
                return ReplaceNumber(text, at);
            default:
                return ChangeLength(text);
        }
    }

    private static byte[] Replace(byte[] text, int at, int length, byte[] with) => [.. text[..at], .. with, .. text[(at + length)..]];

    private byte[] ReplaceDigit(byte[] text, int at)
    {
        int digit = Array.FindIndex(text, at, value => value is >= (byte)'0' and <= (byte)'9');
        return digit < 0 ? text : Replace(text, digit, 1, [(byte)('0' + _random.Next(10))]);
    }

    private byte[] ReplaceNumber(byte[] text, int at)
    {
        int start = Array.FindIndex(text, at, value => value is >= (byte)'0' and <= (byte)'9');
        if (start < 0)
        {
            return text;
        }

        int end = start;
        while (end < text.Length && text[end] is >= (byte)'0' and <= (byte)'9')
        {
            end++;
        }

        return Replace(text, start, end - start, Encoding.UTF8.GetBytes(Values[_random.Next(Values.Length)]));
    }

    // Means something only for a format that starts with a length; elsewhere it is one more kind of damage.
    private byte[] ChangeLength(byte[] text)
    {
        if (text.Length < sizeof(ulong))
        {
            return text;
        }

        byte[] changed = [.. text];
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(changed);
        ulong[] lengths = [0, 1, length - 1, length + 1, 2 * length, 100_000_000, ulong.MaxValue, 1UL << 63];
        BinaryPrimitives.WriteUInt64LittleEndian(changed, lengths[_random.Next(lengths.Length)]);
        return changed;
    }
}
