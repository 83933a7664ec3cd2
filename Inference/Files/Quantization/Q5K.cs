namespace KvIL.Inference.Files.Quantization;

/// <summary>Q5_K: 256 weights as <see cref="ScalesAndMinimums"/> and 5-bit integers; the upper bit of q of weight 32 g + i is bit g of byte i.</summary>
/// <remarks>The 32 bytes of upper bits stand before the lower four bits, which stand as in <see cref="Q4K"/>.</remarks>
internal static class Q5K
{
    public static void Quantize(ReadOnlySpan<float> x, Span<byte> stored)
    {
        Span<byte> q = stackalloc byte[256];
        ScalesAndMinimums.Quantize(x, 31, stored, q);
        Span<byte> upper = stored.Slice(ScalesAndMinimums.Bytes, 32);
        upper.Clear();
        for (int i = 0; i < 256; i++)
        {
            upper[i % 32] |= (byte)((q[i] >> 4) << (i / 32));
        }

        Q4K.Pack(q, stored[(ScalesAndMinimums.Bytes + 32)..]);
    }
}
