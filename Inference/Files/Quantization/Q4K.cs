namespace KvIL.Inference.Files.Quantization;

/// <summary>Q4_K: 256 weights as <see cref="ScalesAndMinimums"/> and 4-bit integers; of each 64, byte i holds q of i and, above it, of i + 32.</summary>
internal static class Q4K
{
    public static void Quantize(ReadOnlySpan<float> x, Span<byte> stored)
    {
        Span<byte> q = stackalloc byte[256];
        ScalesAndMinimums.Quantize(x, 15, stored, q);
        Pack(q, stored[ScalesAndMinimums.Bytes..]);
    }

    /// <summary>Stores the lower four bits of 256 integers.</summary>
    public static void Pack(ReadOnlySpan<byte> q, Span<byte> stored)
    {
        for (int i = 0; i < 128; i++)
        {
            int low = (i / 32 * 64) + (i % 32);
            stored[i] = (byte)((q[low] & 15) | ((q[low + 32] & 15) << 4));
        }
    }
}
