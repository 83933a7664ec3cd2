namespace KvIL.Inference.Files;

/// <summary>Kinds of metadata values, numbered as a GGUF file writes them (GGUF specification, <c>gguf_metadata_value_type</c>).</summary>
public enum GgufValueType
{
    /// <summary>8-bit unsigned integer.</summary>
    UInt8,

    /// <summary>8-bit signed integer.</summary>
    Int8,

    /// <summary>16-bit unsigned integer.</summary>
    UInt16,

    /// <summary>16-bit signed integer.</summary>
    Int16,

    /// <summary>32-bit unsigned integer.</summary>
    UInt32,

    /// <summary>32-bit signed integer.</summary>
    Int32,

    /// <summary>IEEE 754 binary32.</summary>
    Float32,

    /// <summary>One byte, 0 or 1.</summary>
    Bool,

    /// <summary>A length and so many bytes of UTF-8.</summary>
    String,

    /// <summary>A type, a count, and so many values of that type.</summary>
    Array,

    /// <summary>64-bit unsigned integer.</summary>
    UInt64,

    /// <summary>64-bit signed integer.</summary>
    Int64,

    /// <summary>IEEE 754 binary64.</summary>
    Float64,
}

/// <summary>Storage of <see cref="GgufValueType"/>.</summary>
internal static class GgufValueTypes
{
    public static bool IsKnown(uint number) => number <= (uint)GgufValueType.Float64;

    /// <summary>Bytes of one value; null for strings and arrays, which say their own length.</summary>
    public static int? FixedBytes(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.Bool => 1,
        GgufValueType.UInt16 or GgufValueType.Int16 => 2,
        GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.Float32 => 4,
        GgufValueType.UInt64 or GgufValueType.Int64 or GgufValueType.Float64 => 8,
        _ => null,
    };

    /// <summary>The least bytes that one value takes.</summary>
    public static int MinBytes(GgufValueType type) => type switch
    {
        GgufValueType.String => sizeof(ulong),
        GgufValueType.Array => sizeof(uint) + sizeof(ulong),
        _ => FixedBytes(type)!.Value,
    };

    public static string Describe(GgufValueType type) => type switch
    {
        GgufValueType.Bool => "a boolean",
        GgufValueType.String => "a string",
        GgufValueType.Array => "an array",
        GgufValueType.Float32 or GgufValueType.Float64 => "a floating-point number",
        _ => "an integer",
    };
}
