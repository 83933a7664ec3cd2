using System.Buffers.Binary;

namespace KvIL.Tensors;

/// <summary>Blocks of 32 weights with one scale, <c>w_j = d · q_j</c>, or a scale and a minimum, <c>w_j = d · q_j + m</c>.</summary>
/// <remarks>
/// <code>
/// Q8_0   | d: f16 | q: 32 × i8 |                                     q_j
/// Q4_0   | d: f16 | nibbles: 16 bytes |                              q_j = nibble_j − 8
/// Q4_1   | d: f16 | m: f16 | nibbles: 16 bytes |                     q_j = nibble_j
/// Q5_0   | d: f16 | high bits: u32 | nibbles: 16 bytes |             q_j = nibble_j + 16 high_j − 16
/// Q5_1   | d: f16 | m: f16 | high bits: u32 | nibbles: 16 bytes |    q_j = nibble_j + 16 high_j
/// </code>
/// Byte j of the nibbles holds weight j in its low half and weight j + 16 in its high half; bit j of the high bits belongs
/// to weight j.
/// </remarks>
internal static class SmallBlocks
{
    private const int Count = 32;

    public static void Q8_0(ReadOnlySpan<byte> block, Span<float> w)
    {
        float d = Dequantization.Half(block, 0);
        for (int j = 0; j < Count; j++) w[j] = (sbyte)block[2 + j] * d;
    }

    public static void Q4_0(ReadOnlySpan<byte> block, Span<float> w)
    {
        float d = Dequantization.Half(block, 0);
        for (int j = 0; j < Count; j++) w[j] = (Nibble(block[2..], j) - 8) * d;
    }

    public static void Q4_1(ReadOnlySpan<byte> block, Span<float> w)
    {
        float d = Dequantization.Half(block, 0), m = Dequantization.Half(block, 2);
        for (int j = 0; j < Count; j++) w[j] = (Nibble(block[4..], j) * d) + m;
    }

    public static void Q5_0(ReadOnlySpan<byte> block, Span<float> w)
    {
        float d = Dequantization.Half(block, 0);
        for (int j = 0; j < Count; j++) w[j] = (Nibble(block[6..], j) + (16 * HighBit(block[2..], j)) - 16) * d;
    }

    public static void Q5_1(ReadOnlySpan<byte> block, Span<float> w)
    {
        float d = Dequantization.Half(block, 0), m = Dequantization.Half(block, 2);
        for (int j = 0; j < Count; j++) w[j] = ((Nibble(block[8..], j) + (16 * HighBit(block[4..], j))) * d) + m;
    }

    private static int Nibble(ReadOnlySpan<byte> nibbles, int j) => j < 16 ? nibbles[j] & 15 : nibbles[j - 16] >> 4;

    private static int HighBit(ReadOnlySpan<byte> bits, int j) => (int)(BinaryPrimitives.ReadUInt32LittleEndian(bits) >> j) & 1;
}
