using System.Buffers.Binary;
using KvIL.Tensors;

namespace KvIL.Conformance;

/// <summary>Conversions between double and the element types of tensors, each rounding once, to nearest even.</summary>
internal static class Numbers
{
    /// <summary>The nearest value that <paramref name="type"/> can store; F32 stays as it is.</summary>
    public static double Round(double value, DType type) => type switch
    {
        DType.F32 => value,
        DType.F16 => (double)(Half)value,
        DType.BF16 => RoundToBFloat16(value),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "No floating type."),
    };

    /// <summary>The exact value of a float, double, Half or int.</summary>
    public static double ToDouble<T>(T value)
        where T : unmanaged => value switch
        {
            float x => x,
            double x => x,
            Half x => (double)x,
            int x => x,
            _ => throw new ArgumentException($"expected float, double, Half or int for a floating tensor, got {typeof(T).Name}."),
        };

    /// <summary>The nearest float, double or Half.</summary>
    public static T FromDouble<T>(double value)
        where T : unmanaged
    {
        if (typeof(T) == typeof(float)) return (T)(object)(float)value;
        if (typeof(T) == typeof(double)) return (T)(object)value;
        if (typeof(T) == typeof(Half)) return (T)(object)(Half)value;
        throw new ArgumentException($"expected float, double or Half for a floating tensor, got {typeof(T).Name}.");
    }

    /// <summary>Decodes little-endian elements, exactly.</summary>
    public static double Decode(ReadOnlySpan<byte> bytes, DType type) => type switch
    {
        DType.F32 => BinaryPrimitives.ReadSingleLittleEndian(bytes),
        DType.F16 => (double)BinaryPrimitives.ReadHalfLittleEndian(bytes),
        DType.BF16 => BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadInt16LittleEndian(bytes) << 16),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "No floating type."),
    };

    /// <summary>Encodes a value that <paramref name="type"/> can store, little-endian.</summary>
    public static void Encode(double value, DType type, Span<byte> bytes)
    {
        switch (type)
        {
            case DType.F32: BinaryPrimitives.WriteSingleLittleEndian(bytes, (float)value); break;
            case DType.F16: BinaryPrimitives.WriteHalfLittleEndian(bytes, (Half)value); break;
            case DType.BF16: BinaryPrimitives.WriteInt16LittleEndian(bytes, (short)(BitConverter.SingleToInt32Bits((float)value) >> 16)); break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "No floating type.");
        }
    }

    // Eight significant bits: divide by the spacing of the value's binade, round, multiply back. Below the smallest
    // normal 2^-126 the spacing stays 2^-133.
    private static double RoundToBFloat16(double value)
    {
        if (!double.IsFinite(value) || value == 0) return value;
        double spacing = Math.ScaleB(1, Math.Max(Math.ILogB(value), -126) - 7);
        return (float)(Math.Round(value / spacing, MidpointRounding.ToEven) * spacing);
    }
}
