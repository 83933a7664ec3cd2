namespace KvIL.Inference.Files.Quantization;

/// <summary>Q5_1: 32 weights as a scale d, a minimum m and 5-bit integers q, <c>w = d · q + m</c>; bits as in <see cref="Q5Zero"/>.</summary>
internal static class Q5One
{
    public static void Quantize(ReadOnlySpan<float> x, Span<byte> stored)
    {
        (float min, float max) = Quantizer.Range(x);
        float d = Quantizer.WriteScale(stored, (max - min) / 31);
        float m = Quantizer.WriteScale(stored[2..], min);
        Span<int> q = stackalloc int[32];
        for (int i = 0; i < 32; i++)
        {
            q[i] = Quantizer.Round(x[i] - m, d, 0, 31);
        }

        Q5Zero.Pack(q, stored[4..]);
    }
}
