using System.Security.Cryptography;
using System.Text;
using KvIL.Inference.Tokenization.Normalization;
using Xunit;

namespace KvIL.Tests.Tokenization;

public sealed class UnicodeNormalizerTests
{
    // Letters, marks of many classes, Hangul, and characters that compose in odd ways or not at all.
    private static readonly int[] Alphabet =
    [
        0x41, 0x61, 0x65, 0x6F, 0x75, 0x300, 0x301, 0x302, 0x308, 0x323, 0x327, 0x328, 0x331, 0x345, 0x1100, 0x1161, 0x11A8,
        0x11A7, 0xAC00, 0xAC01, 0x1E9B, 0xFB01, 0x212B, 0x2126, 0x3B1, 0x3C9, 0x313, 0x314, 0x5D0, 0x5B7, 0x5B8, 0xFB2E, 0x915,
        0x93C, 0x958, 0x1D15E, 0x1D157, 0x1D165, 0x3042, 0x3099, 0x304B, 0xFF76, 0xFF9E, 0x0F71, 0x0F72, 0x0F74, 0x1F71, 0x33A,
        0x5AE, 0x0CC6, 0x0CC2, 0x0CD5, 0x9C7, 0x9BE, 0x11099, 0x110BA, 0x2460, 0xFDFA,
    ];

    // SHA-256 of what Python's unicodedata (Unicode 14.0) gives: of each character below U+30000, and of 20,000 strings.
    [Theory]
    [InlineData(false, true, "d6e7e73f03aea272f3c3e96e270e2dbd949f0e9471933072802e9728d3b9b49f", "0a77de61d1f73a21493e81d285758e598a22b097c88b0701410969f402ce2e36")]
    [InlineData(false, false, "a378f356ebb0da395829fe7b3cdbeb065ff0cb899115e9fb1a0970d40cde3405", "a9a3a442e1bf6d9b1f914857b25cdbd93bc5fc0ae54d8f0b44ef2f95255d785e")]
    [InlineData(true, true, "018ce8afa8280e20798780aa38954df91433c9a2cb1cd76f7967e4d27e2c7661", "ea13e83383628e279b256c48d4b42298352ecfd5f26feb7a280594e094dde33d")]
    [InlineData(true, false, "801f4debc274e6f1364671dc2a58129c94c673b0000732df34b7c6c198a8ec2b", "39ac2d3043a3d39038bddad02204558392b16b037fb9685945ce92bb3ef0e335")]
    public void All_characters_and_many_strings_are_as_Python_gives_them(bool compatibility, bool compose, string characters, string strings)
    {
        IEnumerable<string> each = Enumerable.Range(0, 0x30000).Where(Rune.IsValid).Select(value => new Rune(value).ToString());
        Assert.Equal(characters, Hash(each, compatibility, compose));
        Assert.Equal(strings, Hash(Strings(), compatibility, compose));
    }

    private static string Hash(IEnumerable<string> texts, bool compatibility, bool compose)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string text in texts)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(UnicodeNormalizer.Normalize(text, compatibility, compose) + "\n"));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static IEnumerable<string> Strings()
    {
        ulong state = 1;
        ulong Next()
        {
            state = unchecked((state * 6364136223846793005) + 1442695040888963407);
            return state >> 33;
        }

        for (int i = 0; i < 20_000; i++)
        {
            var text = new StringBuilder();
            for (ulong length = 1 + (Next() % 8); length > 0; length--)
            {
                text.Append(new Rune(Alphabet[Next() % (ulong)Alphabet.Length]).ToString());
            }

            yield return text.ToString();
        }
    }
}
