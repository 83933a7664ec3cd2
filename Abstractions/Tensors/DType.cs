namespace KvIL.Tensors;

/// <summary>Element type of a tensor, as stored.</summary>
public enum DType : byte
{
    /// <summary>IEEE 754 binary32.</summary>
    F32,

    /// <summary>IEEE 754 binary16.</summary>
    F16,

    /// <summary>bfloat16: the upper half of a binary32.</summary>
    BF16,

    /// <summary>32-bit signed integer.</summary>
    I32,
}

/// <summary>Storage arithmetic of <see cref="DType"/>.</summary>
public static class DTypes
{
    /// <summary>Elements in one storage block; 1 unless the type is quantised by blocks.</summary>
    public static int BlockElements(this DType type) => type switch
    {
        DType.F32 or DType.F16 or DType.BF16 or DType.I32 => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Unknown element type."),
    };

    /// <summary>Bytes of one storage block.</summary>
    public static int BlockBytes(this DType type) => type switch
    {
        DType.F32 or DType.I32 => 4,
        DType.F16 or DType.BF16 => 2,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Unknown element type."),
    };

    /// <summary>Bytes of <paramref name="elements"/> contiguous elements.</summary>
    /// <exception cref="ArgumentException">The count is negative or does not fill whole blocks.</exception>
    /// <exception cref="OverflowException">The size does not fit 64 bits.</exception>
    public static long SizeBytes(this DType type, long elements)
    {
        int block = type.BlockElements();
        if (elements < 0 || elements % block != 0)
        {
            throw new ArgumentException($"Expected a multiple of {block} elements for {type}, got {elements}.", nameof(elements));
        }

        return checked(elements / block * type.BlockBytes());
    }
}
