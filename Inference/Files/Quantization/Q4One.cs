namespace KvIL.Inference.Files.Quantization;

/// <summary>Q4_1: 32 weights as a scale d, a minimum m and 4-bit integers q, <c>w = d · q + m</c>; bytes as in <see cref="Q4Zero"/>.</summary>
internal static class Q4One
{
    public static void Quantize(ReadOnlySpan<float> x, Span<byte> stored)
    {
        (float min, float max) = Quantizer.Range(x);
        float d = Quantizer.WriteScale(stored, (max - min) / 15);
        float m = Quantizer.WriteScale(stored[2..], min);
        for (int i = 0; i < 16; i++)
        {
            int low = Quantizer.Round(x[i] - m, d, 0, 15);
            int high = Quantizer.Round(x[i + 16] - m, d, 0, 15);
            stored[4 + i] = (byte)(low | (high << 4));
        }
    }
}
