namespace KvIL.Inference.Files.Quantization;

/// <summary>Q2_K: 256 weights in 16 groups, each with a 4-bit scale s and minimum m, and 2-bit integers q, <c>w = d · s · q − dmin · m</c>.</summary>
/// <remarks>
/// Layout: 16 bytes with s and, above it, m; 64 bytes of q; d; dmin. Of each 128 weights, byte i of 32 holds q of i, i + 32,
/// i + 64 and i + 96, from the lowest bits on.
/// </remarks>
internal static class Q2K
{
    private const int Groups = 16;
    private const int GroupSize = 16;
    private const int IntegersAt = 16;
    private const int FactorsAt = 80;

    public static void Quantize(ReadOnlySpan<float> x, Span<byte> stored)
    {
        Span<float> scales = stackalloc float[Groups];
        Span<float> minimums = stackalloc float[Groups];
        for (int g = 0; g < Groups; g++)
        {
            (float min, float max) = Quantizer.Range(x.Slice(g * GroupSize, GroupSize));
            minimums[g] = MathF.Max(0, -min);
            scales[g] = MathF.Max(0, max + minimums[g]) / 3;
        }

        float d = Quantizer.WriteScale(stored[FactorsAt..], Quantizer.Range(scales).Max / 15);
        float dmin = Quantizer.WriteScale(stored[(FactorsAt + 2)..], Quantizer.Range(minimums).Max / 15);
        Span<byte> q = stackalloc byte[256];
        for (int g = 0; g < Groups; g++)
        {
            int s = Quantizer.Round(scales[g], d, 0, 15);
            int m = Quantizer.Round(minimums[g], dmin, 0, 15);
            stored[g] = (byte)(s | (m << 4));
            for (int i = g * GroupSize; i < (g + 1) * GroupSize; i++)
            {
                q[i] = (byte)Quantizer.Round(x[i] + (dmin * m), d * s, 0, 3);
            }
        }

        Pack(q, stored[IntegersAt..]);
    }

    /// <summary>Stores the lower two bits of 256 integers.</summary>
    public static void Pack(ReadOnlySpan<byte> q, Span<byte> stored)
    {
        for (int i = 0; i < 64; i++)
        {
            int first = (i / 32 * 128) + (i % 32);
            int bits = 0;
            for (int k = 0; k < 4; k++)
            {
                bits |= (q[first + (32 * k)] & 3) << (2 * k);
            }

            stored[i] = (byte)bits;
        }
    }
}
