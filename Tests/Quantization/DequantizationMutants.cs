using System.Buffers.Binary;
using System.Collections.Immutable;
using KvIL.Tensors;

namespace KvIL.Tests.Quantization;

/// <summary>A wrong way to read blocks of a type.</summary>
/// <param name="Name">What is wrong.</param>
/// <param name="Type">The type.</param>
/// <param name="Spoil">Changes the bytes of a block so that the right definition gives what the wrong one would, or null.</param>
/// <param name="Mend">Changes the weights of a block, given its bytes, or null.</param>
internal sealed record DequantizationMutant(string Name, DType Type, Action<byte[]>? Spoil, Action<byte[], float[]>? Mend)
{
    /// <summary>The definition, wrong for this type alone.</summary>
    public void Dequantize(DType type, ReadOnlySpan<byte> blocks, Span<float> weights)
    {
        if (type == Type) ToFloat32(type, blocks.ToArray()).CopyTo(weights);
        else Dequantization.ToFloat32(type, blocks, weights);
    }

    /// <summary>The wrong weights of whole blocks.</summary>
    public float[] ToFloat32(DType type, byte[] blocks)
    {
        List<float> weights = [];
        foreach (byte[] block in blocks.Chunk(type.BlockBytes()))
        {
            byte[] read = [.. block];
            Spoil?.Invoke(read);
            float[] w = new float[type.BlockElements()];
            Dequantization.ToFloat32(type, read, w);
            Mend?.Invoke(block, w);
            weights.AddRange(w);
        }

        return [.. weights];
    }
}

/// <summary>The mistakes that such kernels are prone to.</summary>
internal static class DequantizationMutants
{
    /// <summary>All mutants.</summary>
    public static ImmutableArray<DequantizationMutant> All { get; } =
    [
        Spoiled("Q4_0 takes the high nibble first", DType.Q4_0, b => SwapNibbles(b.AsSpan(2))),
        Mended("Q4_0 pairs neighbours in a byte", DType.Q4_0, (_, w) => Interleave(w)),
        Mended("Q4_0 starts at -7", DType.Q4_0, (b, w) => AddToEach(w, Half(b, 0))),
        Spoiled("Q4_1 swaps scale and minimum", DType.Q4_1, b => (b[0], b[1], b[2], b[3]) = (b[2], b[3], b[0], b[1])),
        Spoiled("Q4_1 subtracts the minimum", DType.Q4_1, b => b[3] ^= 0x80),
        Spoiled("Q5_0 drops the high bits", DType.Q5_0, b => b.AsSpan(2, 4).Clear()),
        Spoiled("Q5_0 reads the high bits from the top", DType.Q5_0, b => b.AsSpan(2, 4).Reverse()),
        Spoiled("Q5_1 drops the high bits", DType.Q5_1, b => b.AsSpan(4, 4).Clear()),
        Spoiled("Q5_1 gives the second half the first half's bits", DType.Q5_1, b => (b[6], b[7]) = (b[4], b[5])),
        Mended("Q8_0 reads unsigned bytes", DType.Q8_0, (b, w) => Each(w, (j, x) => (b[2 + j] >= 128 ? b[2 + j] * Half(b, 0) : x))),
        Spoiled("Q2_K takes the next group's scale", DType.Q2_K, b => RotateLeft(b.AsSpan(0, 16))),
        Spoiled("Q2_K swaps scale and minimum of a group", DType.Q2_K, b => SwapNibbles(b.AsSpan(0, 16))),
        Spoiled("Q3_K inverts the high bits", DType.Q3_K, b => Invert(b.AsSpan(0, 32))),
        Spoiled("Q3_K starts the high bits of the second half anew", DType.Q3_K, b => Each(b.AsSpan(0, 32), x => (byte)((x & 15) | (x << 4)))),
        Spoiled("Q3_K drops the upper bits of scales", DType.Q3_K, b => b.AsSpan(104, 4).Clear()),
        Spoiled("Q4_K adds the minimum", DType.Q4_K, b => b[3] ^= 0x80),
        Spoiled("Q4_K takes the next group's scale", DType.Q4_K, b => RotateLeft(b.AsSpan(4, 4))),
        Spoiled("Q4_K drops the upper bits of later scales", DType.Q4_K, b => Each(b.AsSpan(4, 4), x => (byte)(x & 63))),
        Spoiled("Q4_K takes the high nibble first", DType.Q4_K, b => SwapNibbles(b.AsSpan(16))),
        Spoiled("Q5_K drops the high bits", DType.Q5_K, b => b.AsSpan(16, 32).Clear()),
        Spoiled("Q5_K takes the next group's high bit", DType.Q5_K, b => Each(b.AsSpan(16, 32), x => (byte)((x >> 1) | (x << 7)))),
        Spoiled("Q6_K drops the high bits", DType.Q6_K, b => b.AsSpan(128, 64).Clear()),
        Mended("Q6_K reads unsigned scales", DType.Q6_K, (b, w) => Each(w, (j, x) => b[192 + (j / 16)] >= 128 ? -x : x)),
        Spoiled("Q6_K takes the next group's scale", DType.Q6_K, b => RotateLeft(b.AsSpan(192, 16))),
    ];

    private static DequantizationMutant Spoiled(string name, DType type, Action<byte[]> spoil) => new(name, type, spoil, null);

    private static DequantizationMutant Mended(string name, DType type, Action<byte[], float[]> mend) => new(name, type, null, mend);

    private static float Half(byte[] block, int offset) => (float)BinaryPrimitives.ReadHalfLittleEndian(block.AsSpan(offset));

    private static void SwapNibbles(Span<byte> bytes) => Each(bytes, x => (byte)((x >> 4) | (x << 4)));

    private static void Invert(Span<byte> bytes) => Each(bytes, x => (byte)~x);

    private static void Each(Span<byte> bytes, Func<byte, byte> change)
    {
        foreach (ref byte x in bytes) x = change(x);
    }

    private static void Each(float[] weights, Func<int, float, float> change)
    {
        for (int j = 0; j < weights.Length; j++) weights[j] = change(j, weights[j]);
    }

    private static void AddToEach(float[] weights, float term) => Each(weights, (_, x) => x + term);

    private static void RotateLeft(Span<byte> bytes)
    {
        byte first = bytes[0];
        bytes[1..].CopyTo(bytes);
        bytes[^1] = first;
    }

    private static void Interleave(float[] w)
    {
        float[] right = [.. w];
        for (int j = 0; j < 16; j++) (w[2 * j], w[(2 * j) + 1]) = (right[j], right[j + 16]);
    }
}
