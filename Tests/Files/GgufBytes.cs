using System.Buffers.Binary;
using System.Text;
using KvIL.Inference.Files;

namespace KvIL.Tests.Files;

/// <summary>Files in the GGUF format, good and bad.</summary>
internal static class GgufBytes
{
    /// <summary>What the writer makes of these pairs and tensors.</summary>
    public static byte[] Of((string Key, object Value)[] metadata, params GgufTensorSource[] tensors)
    {
        var writer = new GgufWriter();
        foreach ((string key, object value) in metadata)
        {
            writer.Add(key, value);
        }

        foreach (GgufTensorSource tensor in tensors)
        {
            writer.Add(tensor);
        }

        using var stream = new MemoryStream();
        writer.Write(stream);
        return stream.ToArray();
    }

    /// <summary>A tensor whose bytes count up from a start.</summary>
    public static GgufTensorSource Tensor(string name, string type, long[] shape, int bytes, byte start = 0) =>
        new(name, type, shape, stream => stream.Write([.. Enumerable.Range(start, bytes).Select(i => (byte)i)]));

    /// <summary>A small file with something of everything.</summary>
    public static byte[] Sample() => Of(
        [
            ("general.architecture", "llama"), ("general.alignment", 64u), ("u8", (byte)200), ("i8", (sbyte)-5),
            ("u16", (ushort)65000), ("i16", (short)-300), ("i32", -70000), ("f32", 0.5f), ("f64", 1e300), ("u64", ulong.MaxValue),
            ("i64", long.MinValue), ("flag", true), ("names", new[] { "a", "", "é😀" }), ("floats", new[] { 1f, -2.5f }),
            ("integers", new[] { 7, -7 }), ("nested", new[] { new[] { 1, 2 }, [], [3] }), ("none", Array.Empty<string>()),
        ],
        Tensor("a", "F32", [2, 3], 24), Tensor("b", "Q4_0", [2, 32], 36, 100), Tensor("c", "I8", [5], 5, 200));

    /// <summary>A header by hand: counts as given, then these bytes.</summary>
    public static byte[] Raw(ulong tensors, ulong pairs, params byte[][] rest)
    {
        byte[] head = new byte[24];
        "GGUF"u8.CopyTo(head);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(4), 3);
        BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(8), tensors);
        BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(16), pairs);
        return [.. head, .. rest.SelectMany(bytes => bytes)];
    }

    public static byte[] U32(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return bytes;
    }

    public static byte[] U64(ulong value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return bytes;
    }

    public static byte[] Text(string text) => [.. U64((ulong)Encoding.UTF8.GetByteCount(text)), .. Encoding.UTF8.GetBytes(text)];

    /// <summary>The description of a tensor; extents innermost first, as the file has them.</summary>
    public static byte[] Entry(string name, uint type, ulong offset, params ulong[] extents) =>
        [.. Text(name), .. U32((uint)extents.Length), .. extents.SelectMany(U64), .. U32(type), .. U64(offset)];
}
