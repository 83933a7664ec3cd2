using System.Buffers.Binary;
using KvIL.Tensors;

namespace KvIL.Inference.Files;

/// <summary>Reads the header of a GGUF file from front to back; nothing is read past its end.</summary>
internal sealed class GgufCursor(string path, HostMemory memory)
{
    private const string Advice = "the file is damaged or cut short, so download it again";

    /// <summary>Where the next read starts, in bytes from the start of the file.</summary>
    public long Position { get; private set; }

    /// <summary>Bytes from <see cref="Position"/> to the end.</summary>
    public long Remaining => memory.LengthBytes - Position;

    public uint UInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(sizeof(uint), what));

    public ulong UInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(sizeof(ulong), what));

    /// <summary>A length before so many bytes of text, which a span must be able to hold.</summary>
    public ReadOnlySpan<byte> Text(string what)
    {
        long start = Position;
        ulong length = UInt64(what);
        if (length > (ulong)Remaining || length > int.MaxValue)
        {
            throw Error($"{what} says it has {length} bytes, but at most {Math.Min(Remaining, int.MaxValue)} are possible", start);
        }

        return Bytes((int)length, what);
    }

    /// <summary>Passes over so many items; the product is not trusted.</summary>
    public void Skip(ulong count, int itemBytes, string what)
    {
        if (count > (ulong)Remaining / (uint)itemBytes)
        {
            throw Error($"{what} says it has {count} elements, but {Remaining} bytes are left in the file", Position);
        }

        Position += (long)count * itemBytes;
    }

    /// <summary>The exception for what stands at an offset.</summary>
    public ModelFileException Error(string problem, long offset) =>
        new($"{path}: byte offset {offset}: {problem}; {Advice}.");

    private ReadOnlySpan<byte> Bytes(int count, string what)
    {
        if (count > Remaining)
        {
            throw Error($"the file ends inside {what}", Position);
        }

        ReadOnlySpan<byte> bytes = memory.Slice(Position, count).AsSpan();
        Position += count;
        return bytes;
    }
}
