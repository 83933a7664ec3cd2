using System.Buffers.Binary;
using System.Collections.Frozen;
using KvIL.Tensors;

namespace KvIL.Inference.Files;

/// <summary>A tensor as a model file stores it.</summary>
/// <param name="Name">Name in the file.</param>
/// <param name="StoredType">Element type in the file's own spelling, such as <c>BF16</c> or <c>I64</c>.</param>
/// <param name="Shape">Dimensions, outermost first; empty for a scalar.</param>
/// <param name="Data">The elements, row-major, little-endian, not necessarily aligned; valid while the file is open.</param>
/// <param name="Path">The file.</param>
/// <param name="FileOffset">Where <paramref name="Data"/> starts in the file, in bytes.</param>
public sealed record FileTensor(
    string Name, string StoredType, IReadOnlyList<long> Shape, HostMemory Data, string Path, long FileOffset)
{
    /// <summary>The element type; null for one that KvIL does not compute with, whose bytes are readable all the same.</summary>
    public DType? Type => StoredType switch
    {
        "F32" => DType.F32,
        "F16" => DType.F16,
        "BF16" => DType.BF16,
        "I32" => DType.I32,
        "Q8_0" => DType.Q8_0,
        "Q4_0" => DType.Q4_0,
        "Q4_1" => DType.Q4_1,
        "Q5_0" => DType.Q5_0,
        "Q5_1" => DType.Q5_1,
        "Q2_K" => DType.Q2_K,
        "Q3_K" => DType.Q3_K,
        "Q4_K" => DType.Q4_K,
        "Q5_K" => DType.Q5_K,
        "Q6_K" => DType.Q6_K,
        _ => null,
    };

    /// <summary>Number of elements: the product of <see cref="Shape"/>, 1 for a scalar.</summary>
    public long ElementCount => Shape.Aggregate(1L, (count, extent) => checked(count * extent));

    /// <summary>The elements as float32, of a type that it holds exactly.</summary>
    /// <exception cref="InvalidOperationException">The type is another.</exception>
    public float[] Floats()
    {
        ReadOnlySpan<byte> data = Data.AsSpan();
        float[] values = new float[ElementCount];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Type switch
            {
                DType.F32 => BinaryPrimitives.ReadSingleLittleEndian(data[(4 * i)..]),
                DType.F16 => (float)BinaryPrimitives.ReadHalfLittleEndian(data[(2 * i)..]),
                DType.BF16 => BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadInt16LittleEndian(data[(2 * i)..]) << 16),
                _ => throw new InvalidOperationException($"{Name}: {StoredType} is not F32, F16 or BF16."),
            };
        }

        return values;
    }

    /// <summary>A view of whole rows, of any type: what the first dimension counts from <paramref name="start"/> on.</summary>
    /// <param name="start">The first row.</param>
    /// <param name="count">Number of rows; may be 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">The tensor has no such rows, or is a scalar.</exception>
    public FileTensor Rows(long start, long count)
    {
        long rows = Shape.Count == 0 ? 0 : Shape[0];
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, rows - start);
        // Rows are whole blocks and bytes in every format, so they divide the data evenly.
        long rowBytes = rows == 0 ? 0 : Data.LengthBytes / rows;
        return this with
        {
            Shape = [count, .. Shape.Skip(1)],
            Data = Data.Slice(start * rowBytes, count * rowBytes),
            FileOffset = FileOffset + (start * rowBytes),
        };
    }
}

/// <summary>Element types of the safetensors format.</summary>
internal static class StoredTypes
{
    private static readonly FrozenDictionary<string, int> Bits = new Dictionary<string, int>
    {
        ["F4"] = 4, ["F6_E2M3"] = 6, ["F6_E3M2"] = 6,
        ["BOOL"] = 8, ["U8"] = 8, ["I8"] = 8,
        ["F8_E4M3"] = 8, ["F8_E5M2"] = 8, ["F8_E8M0"] = 8, ["F8_E4M3FNUZ"] = 8, ["F8_E5M2FNUZ"] = 8,
        ["U16"] = 16, ["I16"] = 16, ["F16"] = 16, ["BF16"] = 16,
        ["U32"] = 32, ["I32"] = 32, ["F32"] = 32,
        ["U64"] = 64, ["I64"] = 64, ["F64"] = 64, ["C64"] = 64,
    }.ToFrozenDictionary();

    public static bool IsKnown(string storedType) => Bits.ContainsKey(storedType);

    /// <summary>Bytes of a tensor, or null where 64 bits do not hold them or they are not whole bytes.</summary>
    public static long? SizeBytes(string storedType, IReadOnlyList<long> shape)
    {
        UInt128 elements = 1;
        foreach (long extent in shape)
        {
            elements *= (ulong)extent;
            if (elements > long.MaxValue)
            {
                return null;
            }
        }

        UInt128 bits = elements * (uint)Bits[storedType];
        return bits % 8 == 0 && bits / 8 <= long.MaxValue ? (long)(bits / 8) : null;
    }
}
