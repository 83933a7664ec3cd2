namespace KvIL.Tensors;

/// <summary>Blocks of 256 weights in groups with a scale and a minimum each: <c>w = d · scale_g · q − dmin · min_g</c>.</summary>
/// <remarks>
/// <code>
/// Q2_K   | scales: 16 bytes | q: 64 bytes | d: f16 | dmin: f16 |                    16 groups of 16
/// Q4_K   | d: f16 | dmin: f16 | scales: 12 bytes | q: 128 bytes |                    8 groups of 32
/// Q5_K   | d: f16 | dmin: f16 | scales: 12 bytes | high: 32 bytes | q: 128 bytes |   8 groups of 32
/// </code>
/// Q2_K: byte g of the scales is scale_g in its low half and min_g in its high half. Half h of the block, 128 weights, lies in 32
/// bytes: byte l holds weights l, l + 32, l + 64 and l + 96, two bits each, from the lowest on.
/// Q4_K, Q5_K: groups 2p and 2p + 1 share 32 bytes: low nibbles the first, high nibbles the second; bit g of byte l of
/// the high bits belongs to weight l of group g.
/// </remarks>
internal static class AffineSuperBlocks
{
    public static void Q2_K(ReadOnlySpan<byte> block, Span<float> w)
    {
        float d = Dequantization.Half(block, 80), dmin = Dequantization.Half(block, 82);
        for (int j = 0; j < 256; j++)
        {
            int half = j / 128, run = j % 128 / 32, l = j % 32;
            int scale = block[j / 16] & 15, min = block[j / 16] >> 4;
            int q = (block[16 + (32 * half) + l] >> (2 * run)) & 3;
            w[j] = (d * scale * q) - (dmin * min);
        }
    }

    public static void Q4_K(ReadOnlySpan<byte> block, Span<float> w)
    {
        float d = Dequantization.Half(block, 0), dmin = Dequantization.Half(block, 2);
        for (int j = 0; j < 256; j++)
        {
            int g = j / 32, l = j % 32;
            (int scale, int min) = ScaleAndMin(block[4..], g);
            w[j] = (d * scale * Nibble(block[16..], g, l)) - (dmin * min);
        }
    }

    public static void Q5_K(ReadOnlySpan<byte> block, Span<float> w)
    {
        float d = Dequantization.Half(block, 0), dmin = Dequantization.Half(block, 2);
        for (int j = 0; j < 256; j++)
        {
            int g = j / 32, l = j % 32;
            (int scale, int min) = ScaleAndMin(block[4..], g);
            int high = (block[16 + l] >> g) & 1;
            w[j] = (d * scale * (Nibble(block[48..], g, l) + (16 * high))) - (dmin * min);
        }
    }

    private static int Nibble(ReadOnlySpan<byte> q, int g, int l) => (q[(32 * (g / 2)) + l] >> (4 * (g % 2))) & 15;

    // Eight scales and eight minima of six bits in twelve bytes. Bytes 0 to 3: scales 0 to 3; bytes 4 to 7: minima 0 to 3; bytes 8 to 11:
    // the low four bits of scales (low half) and minima (high half) 4 to 7, whose upper two are the upper two of the bytes before.
    private static (int Scale, int Min) ScaleAndMin(ReadOnlySpan<byte> s, int g) => g < 4
        ? (s[g] & 63, s[g + 4] & 63)
        : ((s[g + 4] & 15) | (s[g - 4] >> 6 << 4), (s[g + 4] >> 4) | (s[g] >> 6 << 4));
}
