using System.Buffers.Binary;
using KvIL.Tensors;

namespace KvIL.Inference.Files;

/// <summary>A file in the safetensors format, mapped into memory.</summary>
/// <remarks>
/// Layout: a 64-bit little-endian header length, the header as JSON, then the tensors back to back. Everything the
/// header says is checked against the file before a tensor is handed out: as the format demands, the tensors cover
/// the rest of the file exactly, without overlaps or holes.
/// </remarks>
public sealed class SafeTensorsFile : IDisposable
{
    /// <summary>The format's own limit.</summary>
    private const long MaxHeaderBytes = 100_000_000;

    private readonly MappedFile _file;

    private SafeTensorsFile(MappedFile file)
    {
        _file = file;
        long headerEnd = HeaderEnd(file);
        ReadOnlySpan<byte> json = file.Memory
            .Slice(SafeTensorsHeader.Offset, headerEnd - SafeTensorsHeader.Offset).AsSpan();
        (Dictionary<string, SafeTensorsEntry> entries, Dictionary<string, string> metadata) =
            SafeTensorsHeader.Read(file.Path, json);
        HostMemory data = file.Memory.Slice(headerEnd, file.Memory.LengthBytes - headerEnd);
        foreach (SafeTensorsEntry entry in entries.Values)
        {
            CheckSize(entry, data.LengthBytes);
        }

        CheckCover(entries.Values, headerEnd, data.LengthBytes);
        Metadata = metadata;
        Tensors = entries.Values.ToDictionary(entry => entry.Name, entry => new FileTensor(
            entry.Name, entry.StoredType, entry.Shape, data.Slice(entry.Begin, entry.End - entry.Begin),
            file.Path, headerEnd + entry.Begin));
    }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, FileTensor> Tensors { get; }

    /// <summary>The header's <c>__metadata__</c>; empty where there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens the file at <paramref name="path"/>.</summary>
    /// <exception cref="ModelFileException">The file cannot be read, or breaks a rule of the format.</exception>
    public static SafeTensorsFile Open(string path)
    {
        MappedFile file = MappedFile.Open(path);
        try
        {
            return new SafeTensorsFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Closes the file; the data of its tensors becomes invalid.</summary>
    public void Dispose() => _file.Dispose();

    private static long HeaderEnd(MappedFile file)
    {
        long available = file.Memory.LengthBytes - SafeTensorsHeader.Offset;
        if (available < 2)
        {
            throw new ModelFileException(
                $"{file.Path}: found {file.Memory.LengthBytes} bytes, too few for a safetensors file; download it again.");
        }

        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(file.Memory.Slice(0, SafeTensorsHeader.Offset).AsSpan());
        if (length > MaxHeaderBytes || length > (ulong)available)
        {
            throw new ModelFileException(
                $"{file.Path}: the header length at byte offset 0 says {length} bytes, but at most "
                + $"{Math.Min(MaxHeaderBytes, available)} are possible; the file is cut short or not a safetensors file, "
                + "so download it again.");
        }

        return SafeTensorsHeader.Offset + (long)length;
    }

    private void CheckSize(SafeTensorsEntry entry, long dataBytes)
    {
        if (entry.Begin > entry.End || entry.End > dataBytes)
        {
            throw Error(entry, $"data_offsets [{entry.Begin}, {entry.End}] do not lie within the {dataBytes} bytes of data");
        }

        if (StoredTypes.SizeBytes(entry.StoredType, entry.Shape) is not { } size)
        {
            throw Error(entry, $"the shape {Shapes.Show(entry.Shape)} has no size in bytes");
        }

        if (size != entry.End - entry.Begin)
        {
            throw Error(entry, $"{entry.StoredType} {Shapes.Show(entry.Shape)} takes {size} bytes, but data_offsets "
                + $"[{entry.Begin}, {entry.End}] hold {entry.End - entry.Begin}");
        }
    }

    private void CheckCover(IEnumerable<SafeTensorsEntry> entries, long dataOffset, long dataBytes)
    {
        long covered = 0;
        foreach (SafeTensorsEntry entry in entries.OrderBy(entry => entry.Begin).ThenBy(entry => entry.End))
        {
            if (entry.Begin != covered)
            {
                string fault = entry.Begin < covered ? "an overlap" : "a hole";
                throw Error(entry, $"{fault} before the data at byte offset {dataOffset + entry.Begin}");
            }

            covered = entry.End;
        }

        if (covered != dataBytes)
        {
            throw new ModelFileException(
                $"{_file.Path}: found {dataBytes - covered} bytes at byte offset {dataOffset + covered} that belong to "
                + "no tensor; the file is damaged, so download it again.");
        }
    }

    private ModelFileException Error(SafeTensorsEntry entry, string problem) =>
        new($"{_file.Path}: tensor {ModelFileException.Quote(entry.Name)} (header entry at byte offset "
            + $"{entry.HeaderOffset}): {problem}; the file is damaged, so download it again.");
}
