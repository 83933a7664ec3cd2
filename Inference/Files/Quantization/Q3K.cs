namespace KvIL.Inference.Files.Quantization;

/// <summary>Q3_K: 256 weights in 16 groups, each with a 6-bit scale s, and 3-bit integers q, <c>w = d · (s − 32) · (q − 4)</c>.</summary>
/// <remarks>
/// Layout: 32 bytes of upper bits, that of weight 32 g + i being bit g of byte i; 64 bytes of lower bits as in <see cref="Q2K"/>;
/// 12 bytes of scales; d. Of the scales, byte g of 8 holds the lower four bits of g and, above them, of g + 8; byte 8 + g of 4 holds
/// the upper two bits of g, g + 4, g + 8 and g + 12.
/// </remarks>
internal static class Q3K
{
    private const int Groups = 16;
    private const int GroupSize = 16;
    private const int LowerAt = 32;
    private const int ScalesAt = 96;
    private const int FactorAt = 108;

    public static void Quantize(ReadOnlySpan<float> x, Span<byte> stored)
    {
        // The extreme weight of a group becomes -4 of its steps.
        Span<float> steps = stackalloc float[Groups];
        for (int g = 0; g < Groups; g++)
        {
            steps[g] = Quantizer.Extreme(x.Slice(g * GroupSize, GroupSize)) / -4;
        }

        float d = Quantizer.WriteScale(stored[FactorAt..], Quantizer.Extreme(steps) / -32);
        stored[..FactorAt].Clear();
        Span<byte> q = stackalloc byte[256];
        for (int g = 0; g < Groups; g++)
        {
            int s = Quantizer.Round(steps[g], d, -32, 31);
            WriteScale(stored[ScalesAt..], g, s + 32);
            for (int i = g * GroupSize; i < (g + 1) * GroupSize; i++)
            {
                q[i] = (byte)(Quantizer.Round(x[i], d * s, -4, 3) + 4);
                stored[i % 32] |= (byte)((q[i] >> 2) << (i / 32));
            }
        }

        Q2K.Pack(q, stored[LowerAt..]);
    }

    private static void WriteScale(Span<byte> stored, int g, int s)
    {
        stored[g % 8] |= (byte)((s & 15) << (g < 8 ? 0 : 4));
        stored[8 + (g % 4)] |= (byte)((s >> 4) << (2 * (g / 4)));
    }
}
