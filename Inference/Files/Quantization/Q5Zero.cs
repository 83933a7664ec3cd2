using System.Buffers.Binary;

namespace KvIL.Inference.Files.Quantization;

/// <summary>Q5_0: 32 weights as a scale d and 5-bit integers q, <c>w = d · (q − 16)</c>.</summary>
/// <remarks>The upper bit of q of weight i is bit i of a 32-bit word; the lower four stand as in <see cref="Q4Zero"/>.</remarks>
internal static class Q5Zero
{
    public static void Quantize(ReadOnlySpan<float> x, Span<byte> stored)
    {
        float d = Quantizer.WriteScale(stored, Quantizer.Extreme(x) / -16);
        Span<int> q = stackalloc int[32];
        for (int i = 0; i < 32; i++)
        {
            q[i] = Quantizer.Round(x[i], d, -16, 15) + 16;
        }

        Pack(q, stored[2..]);
    }

    /// <summary>Stores 32 integers of 5 bits.</summary>
    public static void Pack(ReadOnlySpan<int> q, Span<byte> stored)
    {
        uint upper = 0;
        for (int i = 0; i < 32; i++)
        {
            upper |= (uint)(q[i] >> 4) << i;
        }

        BinaryPrimitives.WriteUInt32LittleEndian(stored, upper);
        for (int i = 0; i < 16; i++)
        {
            stored[4 + i] = (byte)((q[i] & 15) | ((q[i + 16] & 15) << 4));
        }
    }
}
