namespace KvIL.Inference.Files.Quantization;

/// <summary>Q6_K: 256 weights in 16 groups, each with an 8-bit scale s, and 6-bit integers q, <c>w = d · s · (q − 32)</c>.</summary>
/// <remarks>
/// Layout: 128 bytes of lower four bits, 64 bytes of upper two bits, 16 scales, d. Of each 128 weights, lower byte i of 64 holds
/// q of i and, above it, of i + 64; upper byte i of 32 holds the bits of i, i + 32, i + 64 and i + 96, from the lowest on.
/// </remarks>
internal static class Q6K
{
    private const int Groups = 16;
    private const int GroupSize = 16;
    private const int UpperAt = 128;
    private const int ScalesAt = 192;
    private const int FactorAt = 208;

    public static void Quantize(ReadOnlySpan<float> x, Span<byte> stored)
    {
        // The extreme weight of a group becomes -32 of its steps.
        Span<float> steps = stackalloc float[Groups];
        for (int g = 0; g < Groups; g++)
        {
            steps[g] = Quantizer.Extreme(x.Slice(g * GroupSize, GroupSize)) / -32;
        }

        float d = Quantizer.WriteScale(stored[FactorAt..], Quantizer.Extreme(steps) / -128);
        Span<byte> q = stackalloc byte[256];
        for (int g = 0; g < Groups; g++)
        {
            int s = Quantizer.Round(steps[g], d, -128, 127);
            stored[ScalesAt + g] = (byte)(sbyte)s;
            for (int i = g * GroupSize; i < (g + 1) * GroupSize; i++)
            {
                q[i] = (byte)(Quantizer.Round(x[i], d * s, -32, 31) + 32);
            }
        }

        for (int half = 0; half < 2; half++)
        {
            Pack(q.Slice(half * 128, 128), stored.Slice(half * 64, 64), stored.Slice(UpperAt + (half * 32), 32));
        }
    }

    private static void Pack(ReadOnlySpan<byte> q, Span<byte> lower, Span<byte> upper)
    {
        for (int i = 0; i < 64; i++)
        {
            lower[i] = (byte)((q[i] & 15) | ((q[i + 64] & 15) << 4));
        }

        for (int i = 0; i < 32; i++)
        {
            upper[i] = (byte)((q[i] >> 4) | ((q[i + 32] >> 4) << 2) | ((q[i + 64] >> 4) << 4) | ((q[i + 96] >> 4) << 6));
        }
    }
}
