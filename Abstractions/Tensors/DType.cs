namespace KvIL.Tensors;

/// <summary>Element type of a tensor, as stored.</summary>
/// <remarks>
/// The types from <see cref="Q8_0"/> on are quantised by blocks, as ggml publishes them and GGUF files store them: a run of weights of one row
/// shares a few scales, each weight is a small integer. They are types of weights only.
/// </remarks>
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

    /// <summary>Blocks of 32 in 34 bytes: a scale, 8-bit integers.</summary>
    Q8_0,

    /// <summary>Blocks of 32 in 18 bytes: a scale, 4-bit integers from -8 on.</summary>
    Q4_0,

    /// <summary>Blocks of 32 in 20 bytes: a scale, a minimum, 4-bit integers.</summary>
    Q4_1,

    /// <summary>Blocks of 32 in 22 bytes: a scale, 5-bit integers from -16 on.</summary>
    Q5_0,

    /// <summary>Blocks of 32 in 24 bytes: a scale, a minimum, 5-bit integers.</summary>
    Q5_1,

    /// <summary>Blocks of 256 in 84 bytes: 16 groups, each with a 4-bit scale and minimum, 2-bit integers.</summary>
    Q2_K,

    /// <summary>Blocks of 256 in 110 bytes: 16 groups, each with a 6-bit scale, 3-bit integers from -4 on.</summary>
    Q3_K,

    /// <summary>Blocks of 256 in 144 bytes: 8 groups, each with a 6-bit scale and minimum, 4-bit integers.</summary>
    Q4_K,

    /// <summary>Blocks of 256 in 176 bytes: 8 groups, each with a 6-bit scale and minimum, 5-bit integers.</summary>
    Q5_K,

    /// <summary>Blocks of 256 in 210 bytes: 16 groups, each with an 8-bit scale, 6-bit integers from -32 on.</summary>
    Q6_K,
}

/// <summary>Storage arithmetic of <see cref="DType"/>.</summary>
public static class DTypes
{
    /// <summary>Whether elements are stored by blocks that share scales.</summary>
    public static bool IsQuantized(this DType type) => type.BlockElements() > 1;

    /// <summary>Elements in one storage block; 1 unless the type is quantised by blocks.</summary>
    public static int BlockElements(this DType type) => type switch
    {
        DType.F32 or DType.F16 or DType.BF16 or DType.I32 => 1,
        DType.Q8_0 or DType.Q4_0 or DType.Q4_1 or DType.Q5_0 or DType.Q5_1 => 32,
        DType.Q2_K or DType.Q3_K or DType.Q4_K or DType.Q5_K or DType.Q6_K => 256,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Unknown element type."),
    };

    /// <summary>Bytes of one storage block.</summary>
    public static int BlockBytes(this DType type) => type switch
    {
        DType.F32 or DType.I32 => 4,
        DType.F16 or DType.BF16 => 2,
        DType.Q8_0 => 34,
        DType.Q4_0 => 18,
        DType.Q4_1 => 20,
        DType.Q5_0 => 22,
        DType.Q5_1 => 24,
        DType.Q2_K => 84,
        DType.Q3_K => 110,
        DType.Q4_K => 144,
        DType.Q5_K => 176,
        DType.Q6_K => 210,
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
