namespace KvIL.Tensors;

/// <summary>Blocks of 256 weights in 16 groups of 16 with a scale each: <c>w = d · scale_g · q</c>.</summary>
/// <remarks>
/// <code>
/// Q3_K   | high: 32 bytes | q: 64 bytes | scales: 12 bytes | d: f16 |       q = two low bits + 4 high − 4,   scale_g = six bits − 32
/// Q6_K   | q: 128 bytes | high: 64 bytes | scales: 16 × i8 | d: f16 |       q = nibble + 16 high − 32
/// </code>
/// Half h of a block, 128 weights, is four runs of 32.
/// Q3_K: byte l of the half's 32 bytes holds weight l of every run, two bits each, from the lowest on; bit 4h + run of
/// byte l of the high bits, which both halves share, is the third.
/// Q6_K: byte l of the half's first 32 bytes holds weight l of runs 0 (low half) and 2 (high half), the next 32 bytes runs 1
/// and 3; byte l of its 32 high bytes holds two bits for each run, from the lowest on.
/// </remarks>
internal static class ScaledSuperBlocks
{
    public static void Q3_K(ReadOnlySpan<byte> block, Span<float> w)
    {
        float d = Dequantization.Half(block, 108);
        for (int j = 0; j < 256; j++)
        {
            int half = j / 128, run = j % 128 / 32, l = j % 32;
            int low = (block[32 + (32 * half) + l] >> (2 * run)) & 3;
            int high = (block[l] >> ((4 * half) + run)) & 1;
            w[j] = d * (Scale(block[96..], j / 16) - 32) * (low + (4 * high) - 4);
        }
    }

    public static void Q6_K(ReadOnlySpan<byte> block, Span<float> w)
    {
        float d = Dequantization.Half(block, 208);
        for (int j = 0; j < 256; j++)
        {
            int half = j / 128, run = j % 128 / 32, l = j % 32;
            int nibble = (block[(64 * half) + (32 * (run % 2)) + l] >> (4 * (run / 2))) & 15;
            int high = (block[128 + (32 * half) + l] >> (2 * run)) & 3;
            w[j] = d * (sbyte)block[192 + (j / 16)] * (nibble + (16 * high) - 32);
        }
    }

    // Sixteen scales of six bits in twelve bytes: bytes 0 to 7 hold the low four bits of scales 0 to 7 (low half) and 8 to 15 (high half),
    // bytes 8 to 11 the upper two: byte 8 + i those of scales i, i + 4, i + 8 and i + 12, from the lowest on.
    private static int Scale(ReadOnlySpan<byte> s, int g) => ((s[g % 8] >> (4 * (g / 8))) & 15) | (((s[8 + (g % 4)] >> (2 * (g / 4))) & 3) << 4);
}
