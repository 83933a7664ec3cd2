using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using KvIL.Tensors;

namespace KvIL.Inference.Files;

/// <summary>A metadata value of a GGUF file, decoded when asked for; it is valid while the file is open.</summary>
/// <remarks>Text that is not valid UTF-8 is decoded with U+FFFD in place of what is broken.</remarks>
public sealed class GgufValue
{
    private readonly string _file;
    private readonly HostMemory _data;

    /// <param name="file">The file, for messages.</param>
    /// <param name="key">The key, for messages; of an element, with its index.</param>
    /// <param name="offset">Where the data start in the file.</param>
    /// <param name="type">What the value is.</param>
    /// <param name="elementType">What an array's elements are.</param>
    /// <param name="count">An array's elements; else 1.</param>
    /// <param name="data">The encoded value or elements, checked when the file was opened.</param>
    internal GgufValue(
        string file, string key, long offset, GgufValueType type, GgufValueType elementType, long count, HostMemory data)
    {
        _file = file;
        _data = data;
        Key = key;
        FileOffset = offset;
        Type = type;
        ElementType = elementType;
        Count = count;
    }

    /// <summary>The key; of an array's element, with its index.</summary>
    public string Key { get; }

    /// <summary>What the value is.</summary>
    public GgufValueType Type { get; }

    /// <summary>What an array's elements are; of another value, <see cref="Type"/>.</summary>
    public GgufValueType ElementType { get; }

    /// <summary>Elements of an array; 1 for another value.</summary>
    public long Count { get; }

    /// <summary>Whether it is an array.</summary>
    public bool IsArray => Type == GgufValueType.Array;

    /// <summary>Where the value's data start in the file, in bytes.</summary>
    public long FileOffset { get; }

    /// <summary>A string.</summary>
    /// <exception cref="ModelFileException">The value is not one.</exception>
    public string String() =>
        Type == GgufValueType.String ? Encoding.UTF8.GetString(StringBytes(_data, 0)) : throw Expected("a string");

    /// <summary>A whole number within the limits, stored as any integer type.</summary>
    /// <exception cref="ModelFileException">The value is not one.</exception>
    public int Integer(int min, int max) => (int)Integer((long)min, max);

    /// <summary>A whole number within the limits, stored as any integer type.</summary>
    /// <exception cref="ModelFileException">The value is not one.</exception>
    public long Integer(long min, long max) =>
        IntegerAt(0, Type) is { } value && value >= min && value <= max
            ? (long)value
            : throw Expected($"a whole number from {min} to {max}");

    /// <summary>A finite number, stored as any number type.</summary>
    /// <exception cref="ModelFileException">The value is not one.</exception>
    public double Number() => Number(double.MinValue, double.MaxValue);

    /// <summary>A finite number within the limits, stored as any number type.</summary>
    /// <exception cref="ModelFileException">The value is not one.</exception>
    public double Number(double min, double max) =>
        NumberAt(0, Type) is { } value && value >= min && value <= max
            ? value
            : throw Expected(min == double.MinValue && max == double.MaxValue
                ? "a finite number"
                : FormattableString.Invariant($"a number from {min} to {max}"));

    /// <summary>An integer of any type, whatever its size.</summary>
    /// <exception cref="ModelFileException">The value is not one.</exception>
    public Int128 WholeNumber() => IntegerAt(0, Type) ?? throw Expected("a whole number");

    /// <summary>A number of any type, infinities and NaN included.</summary>
    /// <exception cref="ModelFileException">The value is not one.</exception>
    public double AnyNumber() => NumberAt(0, Type) ?? throw Expected("a number");

    /// <summary>A boolean; any byte but 0 is true.</summary>
    /// <exception cref="ModelFileException">The value is not one.</exception>
    public bool Boolean() => Type == GgufValueType.Bool ? _data.AsSpan()[0] != 0 : throw Expected("a boolean");

    /// <summary>An array of strings.</summary>
    /// <exception cref="ModelFileException">The value is not one.</exception>
    public string[] Strings()
    {
        string[] strings = new string[CountOf(GgufValueType.String, "an array of strings")];
        long at = 0;
        for (int i = 0; i < strings.Length; i++)
        {
            ReadOnlySpan<byte> bytes = StringBytes(_data, at);
            strings[i] = Encoding.UTF8.GetString(bytes);
            at += sizeof(ulong) + bytes.Length;
        }

        return strings;
    }

    /// <summary>An array of numbers as binary32; integers and binary64 are rounded.</summary>
    /// <exception cref="ModelFileException">The value is not one.</exception>
    public float[] Floats()
    {
        int bytes = RequireNumbers("an array of numbers");
        float[] floats = new float[Count];
        if (ElementType == GgufValueType.Float32)
        {
            MemoryMarshal.Cast<byte, float>(_data.AsSpan()).CopyTo(floats);
            return floats;
        }

        for (int i = 0; i < floats.Length; i++)
        {
            floats[i] = (float)NumberAt(i * (long)bytes, ElementType)!.Value;
        }

        return floats;
    }

    /// <summary>An array of integers that fit 32 bits, stored as any integer type.</summary>
    /// <exception cref="ModelFileException">The value is not one.</exception>
    public int[] Integers()
    {
        int bytes = RequireNumbers("an array of integers");
        int[] integers = new int[Count];
        if (ElementType == GgufValueType.Int32)
        {
            MemoryMarshal.Cast<byte, int>(_data.AsSpan()).CopyTo(integers);
            return integers;
        }

        for (int i = 0; i < integers.Length; i++)
        {
            integers[i] = IntegerAt(i * (long)bytes, ElementType) is { } value && value >= int.MinValue && value <= int.MaxValue
                ? (int)value
                : throw Expected("an array of integers of 32 bits");
        }

        return integers;
    }

    /// <summary>An array of booleans.</summary>
    /// <exception cref="ModelFileException">The value is not one.</exception>
    public bool[] Booleans()
    {
        bool[] booleans = new bool[CountOf(GgufValueType.Bool, "an array of booleans")];
        ReadOnlySpan<byte> bytes = _data.AsSpan();
        for (int i = 0; i < booleans.Length; i++)
        {
            booleans[i] = bytes[i] != 0;
        }

        return booleans;
    }

    /// <summary>The elements of an array, one by one: for arrays of arrays; large ones have their own methods.</summary>
    /// <exception cref="ModelFileException">The value is not an array.</exception>
    public IEnumerable<GgufValue> Items()
    {
        if (!IsArray)
        {
            throw Expected("an array");
        }

        var cursor = new GgufCursor(_file, _data);
        for (long i = 0; i < Count; i++)
        {
            yield return GgufMetadata.ReadValue(cursor, ElementType, $"{Key}[{i}]", _file, _data, FileOffset);
        }
    }

    /// <summary>The exception for a value that should be something else.</summary>
    public ModelFileException Expected(string expected) => Error($"expected {expected}, got {Describe()}");

    /// <summary>The exception for this value: what is wrong, and what to do about it.</summary>
    public ModelFileException Error(string problem, string advice = "download the file again or convert the model again") =>
        new($"{_file}: {ModelFileException.Quote(Key)} at byte offset {FileOffset}: {problem}; {advice}.");

    private static ReadOnlySpan<byte> StringBytes(HostMemory data, long at)
    {
        int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(data.Slice(at, sizeof(ulong)).AsSpan());
        return data.Slice(at + sizeof(ulong), length).AsSpan();
    }

    private string Describe() => Type switch
    {
        GgufValueType.Array => $"an array of {Count} elements of type {ElementType}",
        GgufValueType.String => $"the string {ModelFileException.Quote(String())}",
        GgufValueType.Bool => Boolean() ? "true" : "false",
        _ => NumberAt(0, Type) is { } number ? FormattableString.Invariant($"{number}") : "a number that is not finite",
    };

    private int CountOf(GgufValueType element, string expected) => IsArray && ElementType == element && Count <= Array.MaxLength
        ? (int)Count
        : throw Expected(expected);

    private int RequireNumbers(string expected) =>
        IsArray && ElementType is not (GgufValueType.Bool or GgufValueType.String or GgufValueType.Array)
        && _data.LengthBytes <= int.MaxValue
            ? GgufValueTypes.FixedBytes(ElementType)!.Value
            : throw Expected(expected);

    // Null where the type is not an integer.
    private Int128? IntegerAt(long at, GgufValueType type)
    {
        if (type is GgufValueType.String or GgufValueType.Array)
        {
            return null;
        }

        ReadOnlySpan<byte> bytes = _data.Slice(at, GgufValueTypes.FixedBytes(type)!.Value).AsSpan();
        return type switch
        {
            GgufValueType.UInt8 => bytes[0],
            GgufValueType.Int8 => (sbyte)bytes[0],
            GgufValueType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            GgufValueType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(bytes),
            GgufValueType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            GgufValueType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
            GgufValueType.UInt64 => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
            GgufValueType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
            _ => null,
        };
    }

    // Null where the type is not a number; may be infinite or NaN, which no comparison lets pass.
    private double? NumberAt(long at, GgufValueType type) => type switch
    {
        GgufValueType.Float32 => BinaryPrimitives.ReadSingleLittleEndian(_data.Slice(at, sizeof(float)).AsSpan()),
        GgufValueType.Float64 => BinaryPrimitives.ReadDoubleLittleEndian(_data.Slice(at, sizeof(double)).AsSpan()),
        _ => (double?)IntegerAt(at, type),
    };
}
