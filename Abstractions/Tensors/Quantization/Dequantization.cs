using System.Buffers.Binary;

namespace KvIL.Tensors;

/// <summary>The number that each quantised weight stands for: the scalar definition, which every backend keeps to the bit.</summary>
/// <remarks>
/// Layouts are those that ggml publishes and GGUF files store. A product of scales and integers has at most 23 significant bits,
/// so it is exact in float32 whatever its order; only adding a minimum rounds, once. Scales may be any binary16,
/// infinities and NaN included: those spread by the rules of IEEE 754, a NaN with no particular payload.
/// </remarks>
public static class Dequantization
{
    /// <summary>Writes the weights of whole blocks as float32.</summary>
    /// <param name="type">A quantised type.</param>
    /// <param name="blocks">Whole blocks, one behind the other.</param>
    /// <param name="weights">Their weights in order.</param>
    /// <exception cref="ArgumentException">The type is not quantised, the bytes are no whole blocks, or the destination holds another number of weights.</exception>
    public static void ToFloat32(DType type, ReadOnlySpan<byte> blocks, Span<float> weights)
    {
        int bytes = type.BlockBytes(), elements = type.BlockElements();
        if (!type.IsQuantized() || blocks.Length % bytes != 0 || blocks.Length / bytes != weights.Length / (double)elements)
        {
            throw new ArgumentException(
                $"expected whole quantised blocks and room for exactly their weights, got {blocks.Length} bytes of {type} and {weights.Length} weights.");
        }

        for (int block = 0; block < blocks.Length / bytes; block++)
        {
            Block(type, blocks.Slice(block * bytes, bytes), weights.Slice(block * elements, elements));
        }
    }

    /// <summary>The binary16 at <paramref name="offset"/>, exactly.</summary>
    internal static float Half(ReadOnlySpan<byte> block, int offset) => (float)BinaryPrimitives.ReadHalfLittleEndian(block[offset..]);

    private static void Block(DType type, ReadOnlySpan<byte> block, Span<float> w)
    {
        switch (type)
        {
            case DType.Q8_0: SmallBlocks.Q8_0(block, w); break;
            case DType.Q4_0: SmallBlocks.Q4_0(block, w); break;
            case DType.Q4_1: SmallBlocks.Q4_1(block, w); break;
            case DType.Q5_0: SmallBlocks.Q5_0(block, w); break;
            case DType.Q5_1: SmallBlocks.Q5_1(block, w); break;
            case DType.Q2_K: AffineSuperBlocks.Q2_K(block, w); break;
            case DType.Q3_K: ScaledSuperBlocks.Q3_K(block, w); break;
            case DType.Q4_K: AffineSuperBlocks.Q4_K(block, w); break;
            case DType.Q5_K: AffineSuperBlocks.Q5_K(block, w); break;
            default: ScaledSuperBlocks.Q6_K(block, w); break;
        }
    }
}
