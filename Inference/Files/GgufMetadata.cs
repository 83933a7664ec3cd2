using System.Text;
using KvIL.Tensors;

namespace KvIL.Inference.Files;

/// <summary>The metadata of a GGUF file, by key.</summary>
public sealed class GgufMetadata
{
    private const int MaxDepth = 8;

    /// <summary>The format's own limit.</summary>
    private const int MaxKeyBytes = ushort.MaxValue;

    private readonly string _path;
    private readonly Dictionary<string, GgufValue> _values = [];

    private GgufMetadata(string path) => _path = path;

    /// <summary>The keys in the order of the file.</summary>
    public IEnumerable<string> Keys => _values.Keys;

    /// <summary>The value of that key; null where there is none.</summary>
    public GgufValue? Find(string key) => _values.GetValueOrDefault(key);

    /// <summary>The value of that key, which must be there.</summary>
    /// <exception cref="ModelFileException">It is not.</exception>
    public GgufValue Require(string key) => Find(key) ?? throw new ModelFileException(
        $"{_path}: the metadata key {ModelFileException.Quote(key)} is missing; download the file again or convert the model again.");

    /// <summary>Reads so many pairs of key and value.</summary>
    /// <exception cref="ModelFileException">The file breaks a rule of the format.</exception>
    internal static GgufMetadata Read(GgufCursor cursor, ulong count, string path, HostMemory memory)
    {
        var metadata = new GgufMetadata(path);
        for (ulong i = 0; i < count; i++)
        {
            long offset = cursor.Position;
            ReadOnlySpan<byte> bytes = cursor.Text("a metadata key");
            if (bytes.Length > MaxKeyBytes)
            {
                throw cursor.Error($"a metadata key has {bytes.Length} bytes, more than {MaxKeyBytes}", offset);
            }

            string key = Encoding.UTF8.GetString(bytes);
            GgufValueType type = ReadType(cursor, ModelFileException.Quote(key));
            if (!metadata._values.TryAdd(key, ReadValue(cursor, type, key, path, memory, fileOffset: 0)))
            {
                throw cursor.Error($"the metadata key {ModelFileException.Quote(key)} stands there twice", offset);
            }
        }

        return metadata;
    }

    /// <summary>Reads one value of a known type.</summary>
    /// <param name="cursor">Reads <paramref name="memory"/>.</param>
    /// <param name="type">The value's type.</param>
    /// <param name="key">Its name, for messages.</param>
    /// <param name="path">Its file, for messages.</param>
    /// <param name="memory">What the cursor reads.</param>
    /// <param name="fileOffset">Where that memory starts in the file.</param>
    internal static GgufValue ReadValue(
        GgufCursor cursor, GgufValueType type, string key, string path, HostMemory memory, long fileOffset)
    {
        string name = ModelFileException.Quote(key);
        GgufValueType elementType = type;
        ulong count = 1;
        if (type == GgufValueType.Array)
        {
            (elementType, count) = ReadArrayHeader(cursor, name);
        }

        long start = cursor.Position;
        SkipValues(cursor, elementType, count, name, depth: 1);
        return new GgufValue(
            path, key, fileOffset + start, type, elementType, (long)count, memory.Slice(start, cursor.Position - start));
    }

    private static GgufValueType ReadType(GgufCursor cursor, string name)
    {
        long offset = cursor.Position;
        uint type = cursor.UInt32(name);
        return GgufValueTypes.IsKnown(type)
            ? (GgufValueType)type
            : throw cursor.Error($"{name} has the unknown value type {type}", offset);
    }

    private static (GgufValueType ElementType, ulong Count) ReadArrayHeader(GgufCursor cursor, string name)
    {
        GgufValueType elementType = ReadType(cursor, name);
        long offset = cursor.Position;
        ulong count = cursor.UInt64(name);
        return count <= (ulong)(cursor.Remaining / GgufValueTypes.MinBytes(elementType))
            ? (elementType, count)
            : throw cursor.Error($"{name} says it has {count} elements, but {cursor.Remaining} bytes are left in the file", offset);
    }

    private static void SkipValues(GgufCursor cursor, GgufValueType type, ulong count, string name, int depth)
    {
        if (GgufValueTypes.FixedBytes(type) is { } bytes)
        {
            cursor.Skip(count, bytes, name);
            return;
        }

        if (depth > MaxDepth)
        {
            throw cursor.Error($"{name} has arrays nested deeper than {MaxDepth}", cursor.Position);
        }

        for (ulong i = 0; i < count; i++)
        {
            if (type == GgufValueType.String)
            {
                cursor.Text(name);
            }
            else
            {
                (GgufValueType elementType, ulong elements) = ReadArrayHeader(cursor, name);
                SkipValues(cursor, elementType, elements, name, depth + 1);
            }
        }
    }
}
