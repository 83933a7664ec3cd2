using System.Buffers.Binary;
using KvIL.Tensors;

namespace KvIL.Inference.Files.Quantization;

/// <summary>Stores weights in the types of ggml, by rounding to the nearest value that a block's scales allow.</summary>
/// <remarks>
/// The layouts are ggml's to the byte. Scales come from the extremes of a block, without the searches of llama.cpp's own quantiser,
/// so a file made so is somewhat less accurate. Equal input gives equal bytes on every machine.
/// </remarks>
public static class Quantizer
{
    /// <summary>Stores one row.</summary>
    /// <param name="type">A type of weights that <see cref="Supports"/>.</param>
    /// <param name="row">Finite weights, whole blocks of them.</param>
    /// <param name="stored">The blocks, exactly as long as the row takes.</param>
    /// <exception cref="ArgumentException">The type is not supported, or a length does not fit.</exception>
    public static void Quantize(DType type, ReadOnlySpan<float> row, Span<byte> stored)
    {
        if (stored.Length != type.SizeBytes(row.Length))
        {
            throw new ArgumentException($"Expected {type.SizeBytes(row.Length)} bytes, got {stored.Length}.", nameof(stored));
        }

        QuantizeBlock block = BlockOf(type) ?? throw new ArgumentException($"No quantiser for {type}.", nameof(type));
        (int elements, int bytes) = (type.BlockElements(), type.BlockBytes());
        for (int i = 0; i < row.Length / elements; i++)
        {
            block(row.Slice(i * elements, elements), stored.Slice(i * bytes, bytes));
        }
    }

    /// <summary>Whether rows can be stored in that type.</summary>
    public static bool Supports(DType type) => BlockOf(type) is not null;

    /// <summary>Writes a scale and gives back what was written: binary16 rounds, and what it cannot hold saturates.</summary>
    internal static float WriteScale(Span<byte> stored, float scale)
    {
        Half half = (Half)Math.Clamp(scale, -(float)Half.MaxValue, (float)Half.MaxValue);
        BinaryPrimitives.WriteHalfLittleEndian(stored, half);
        return (float)half;
    }

    /// <summary>x/step, rounded and limited; 0 where the step is 0.</summary>
    internal static int Round(float x, float step, int min, int max) =>
        step == 0 ? Math.Clamp(0, min, max) : (int)Math.Clamp(MathF.Round(x / step), min, max);

    /// <summary>The element with the largest magnitude, with its sign.</summary>
    internal static float Extreme(ReadOnlySpan<float> x)
    {
        float extreme = 0;
        foreach (float value in x)
        {
            extreme = MathF.Abs(value) > MathF.Abs(extreme) ? value : extreme;
        }

        return extreme;
    }

    /// <summary>The smallest and the largest element.</summary>
    internal static (float Min, float Max) Range(ReadOnlySpan<float> x)
    {
        (float min, float max) = (x[0], x[0]);
        foreach (float value in x)
        {
            min = MathF.Min(min, value);
            max = MathF.Max(max, value);
        }

        return (min, max);
    }

    private static QuantizeBlock? BlockOf(DType type) => type switch
    {
        DType.F32 => (row, stored) => BinaryPrimitives.WriteSingleLittleEndian(stored, row[0]),
        DType.F16 => (row, stored) => BinaryPrimitives.WriteHalfLittleEndian(stored, (Half)row[0]),
        DType.BF16 => (row, stored) => BinaryPrimitives.WriteUInt16LittleEndian(stored, BFloat16(row[0])),
        DType.Q8_0 => Q8Zero.Quantize,
        DType.Q4_0 => Q4Zero.Quantize,
        DType.Q4_1 => Q4One.Quantize,
        DType.Q5_0 => Q5Zero.Quantize,
        DType.Q5_1 => Q5One.Quantize,
        DType.Q2_K => Q2K.Quantize,
        DType.Q3_K => Q3K.Quantize,
        DType.Q4_K => Q4K.Quantize,
        DType.Q5_K => Q5K.Quantize,
        DType.Q6_K => Q6K.Quantize,
        _ => null,
    };

    // To the nearest, ties to even; adding cannot turn a finite number into NaN, at most into infinity.
    private static ushort BFloat16(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        return (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }

    private delegate void QuantizeBlock(ReadOnlySpan<float> x, Span<byte> stored);
}
