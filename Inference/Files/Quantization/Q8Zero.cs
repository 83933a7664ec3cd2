namespace KvIL.Inference.Files.Quantization;

/// <summary>Q8_0: 32 weights as a scale d and 8-bit integers q, <c>w = d · q</c>.</summary>
internal static class Q8Zero
{
    public static void Quantize(ReadOnlySpan<float> x, Span<byte> stored)
    {
        float d = Quantizer.WriteScale(stored, MathF.Abs(Quantizer.Extreme(x)) / 127);
        for (int i = 0; i < x.Length; i++)
        {
            stored[2 + i] = (byte)(sbyte)Quantizer.Round(x[i], d, -127, 127);
        }
    }
}
