namespace KvIL.Inference.Files.Quantization;

/// <summary>Q4_0: 32 weights as a scale d and 4-bit integers q, <c>w = d · (q − 8)</c>; byte i holds q of i and, above it, of i + 16.</summary>
/// <remarks>The extreme weight becomes −8 d exactly, so d has the other sign.</remarks>
internal static class Q4Zero
{
    public static void Quantize(ReadOnlySpan<float> x, Span<byte> stored)
    {
        float d = Quantizer.WriteScale(stored, Quantizer.Extreme(x) / -8);
        for (int i = 0; i < 16; i++)
        {
            int low = Quantizer.Round(x[i], d, -8, 7) + 8;
            int high = Quantizer.Round(x[i + 16], d, -8, 7) + 8;
            stored[2 + i] = (byte)(low | (high << 4));
        }
    }
}
