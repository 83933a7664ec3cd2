namespace KvIL.Inference.Files.Quantization;

/// <summary>What Q4_K and Q5_K share: 8 groups of 32 weights, each with a 6-bit scale s and minimum m, <c>w = d · s · q − dmin · m</c>.</summary>
/// <remarks>
/// Layout: d, dmin, then 12 bytes. Of groups 0 to 3 byte g holds s and byte 4 + g holds m in the lower six bits; of groups 4 to 7
/// byte 4 + g holds the lower four bits of s and, above them, of m, and the upper two bits stand above those of group g − 4.
/// </remarks>
internal static class ScalesAndMinimums
{
    public const int Bytes = 16;

    private const int Groups = 8;
    private const int GroupSize = 32;

    /// <summary>Stores the scales, and gives the integers that belong to them.</summary>
    /// <param name="x">256 weights.</param>
    /// <param name="levels">The largest integer: 15 or 31.</param>
    /// <param name="stored">Where the scales go.</param>
    /// <param name="q">256 integers.</param>
    public static void Quantize(ReadOnlySpan<float> x, int levels, Span<byte> stored, Span<byte> q)
    {
        Span<float> scales = stackalloc float[Groups];
        Span<float> minimums = stackalloc float[Groups];
        for (int g = 0; g < Groups; g++)
        {
            (float min, float max) = Quantizer.Range(x.Slice(g * GroupSize, GroupSize));
            minimums[g] = MathF.Max(0, -min);
            scales[g] = MathF.Max(0, max + minimums[g]) / levels;
        }

        float d = Quantizer.WriteScale(stored, Quantizer.Range(scales).Max / 63);
        float dmin = Quantizer.WriteScale(stored[2..], Quantizer.Range(minimums).Max / 63);
        Span<byte> s = stackalloc byte[Groups];
        Span<byte> m = stackalloc byte[Groups];
        for (int g = 0; g < Groups; g++)
        {
            s[g] = (byte)Quantizer.Round(scales[g], d, 0, 63);
            m[g] = (byte)Quantizer.Round(minimums[g], dmin, 0, 63);
            for (int i = g * GroupSize; i < (g + 1) * GroupSize; i++)
            {
                q[i] = (byte)Quantizer.Round(x[i] + (dmin * m[g]), d * s[g], 0, levels);
            }
        }

        Pack(s, m, stored[4..]);
    }

    private static void Pack(ReadOnlySpan<byte> s, ReadOnlySpan<byte> m, Span<byte> stored)
    {
        for (int g = 0; g < 4; g++)
        {
            stored[g] = (byte)(s[g] | ((s[g + 4] >> 4) << 6));
            stored[g + 4] = (byte)(m[g] | ((m[g + 4] >> 4) << 6));
            stored[g + 8] = (byte)((s[g + 4] & 15) | ((m[g + 4] & 15) << 4));
        }
    }
}
