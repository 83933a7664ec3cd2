using System.Numerics;
using System.Text;
using KvIL.Tensors;

namespace KvIL.Inference.Files;

/// <summary>A file in the GGUF format, versions 2 and 3, mapped into memory with the parts that it may be split into.</summary>
/// <remarks>
/// Layout: magic, version, counts, metadata, tensor descriptions, padding, then the tensors at multiples of
/// <c>general.alignment</c>. Everything that the header says is checked against the file before a tensor is handed out:
/// tensors lie inside the file, aligned, without overlaps. Holes between them are allowed, as ggml allows them at the end.
/// </remarks>
public sealed class GgufFile : IDisposable
{
    private readonly List<MappedFile> _files = [];
    private readonly Dictionary<string, FileTensor> _tensors = [];

    private GgufFile(string path)
    {
        Path = path;
        try
        {
            GgufPart first = OpenPart(path);
            Version = first.Version;
            Metadata = first.Metadata;
            OpenOtherParts();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The path as given to <see cref="Open"/>.</summary>
    public string Path { get; }

    /// <summary>Version of the format: 2 or 3.</summary>
    public int Version { get; }

    /// <summary>The metadata; of a split file, the first part's.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>The tensors by name, those of all parts; shapes are outermost first, the reverse of what the file says.</summary>
    public IReadOnlyDictionary<string, FileTensor> Tensors => _tensors;

    /// <summary>Whether the file at <paramref name="path"/> starts as a GGUF file does.</summary>
    /// <exception cref="ModelFileException">The file cannot be read.</exception>
    public static bool HasMagic(string path)
    {
        using MappedFile file = MappedFile.Open(path);
        return file.Memory.LengthBytes >= GgufPart.Magic.Length
            && file.Memory.Slice(0, GgufPart.Magic.Length).AsSpan().SequenceEqual(GgufPart.Magic);
    }

    /// <summary>Opens the file at <paramref name="path"/> and, where it is the first of several parts, the others beside it.</summary>
    /// <exception cref="ModelFileException">The file cannot be read, or breaks a rule of the format.</exception>
    public static GgufFile Open(string path) => new(path);

    /// <summary>Closes the files; the data of tensors and of metadata becomes invalid.</summary>
    public void Dispose() => _files.ForEach(file => file.Dispose());

    private GgufPart OpenPart(string path)
    {
        MappedFile file = MappedFile.Open(path);
        _files.Add(file);
        GgufPart part = GgufPart.Read(file);
        foreach (FileTensor tensor in part.Tensors)
        {
            if (!_tensors.TryAdd(tensor.Name, tensor))
            {
                throw new ModelFileException(
                    $"{path}: the tensor {ModelFileException.Quote(tensor.Name)} stands there twice, or in two parts; "
                    + "the file is damaged, so download it again.");
            }
        }

        return part;
    }

    private void OpenOtherParts()
    {
        if (GgufSplit.Of(Path, Metadata) is not { } split)
        {
            return;
        }

        split.RequireFirst();
        for (int part = 1; part < split.Count; part++)
        {
            string path = split.PathOfPart(part);
            if (!File.Exists(path))
            {
                throw new ModelFileException(
                    $"{path}: part {part + 1} of {split.Count} of this model is missing; complete the download.");
            }

            split.RequirePart(path, part, OpenPart(path).Metadata);
        }

        split.RequireTensors(_tensors.Count);
    }
}

/// <summary>One file of the GGUF format, its header read and checked.</summary>
internal sealed record GgufPart(int Version, GgufMetadata Metadata, IReadOnlyList<FileTensor> Tensors)
{
    private const int DefaultAlignment = 32;
    private const int MaxDimensions = 4;

    // Name length, number of dimensions, type, offset; key length, type, one byte of value.
    private const int MinTensorBytes = 8 + 4 + 4 + 8;
    private const int MinPairBytes = 8 + 4 + 1;

    public static ReadOnlySpan<byte> Magic => "GGUF"u8;

    /// <summary>Reads the header of a mapped file.</summary>
    /// <exception cref="ModelFileException">The file breaks a rule of the format.</exception>
    public static GgufPart Read(MappedFile file)
    {
        var cursor = new GgufCursor(file.Path, file.Memory);
        int version = ReadVersion(file, cursor);
        long countsAt = cursor.Position;
        ulong tensorCount = cursor.UInt64("the tensor count");
        ulong pairCount = cursor.UInt64("the metadata count");
        if (tensorCount > (ulong)(cursor.Remaining / MinTensorBytes) || pairCount > (ulong)(cursor.Remaining / MinPairBytes))
        {
            throw cursor.Error(
                $"the file says it has {tensorCount} tensors and {pairCount} metadata keys, more than it has bytes for", countsAt);
        }

        GgufMetadata metadata = GgufMetadata.Read(cursor, pairCount, file.Path, file.Memory);
        long alignment = ReadAlignment(metadata);
        var entries = new List<Entry>();
        for (ulong i = 0; i < tensorCount; i++)
        {
            entries.Add(ReadEntry(cursor));
        }

        long dataStart = cursor.Position + (-cursor.Position & (alignment - 1));
        return new GgufPart(version, metadata, Place(file, cursor, entries, dataStart, alignment));
    }

    private static int ReadVersion(MappedFile file, GgufCursor cursor)
    {
        if (file.Memory.LengthBytes < Magic.Length || !file.Memory.Slice(0, Magic.Length).AsSpan().SequenceEqual(Magic))
        {
            throw new ModelFileException(
                $"{file.Path}: the file does not start with 'GGUF'; name a GGUF file, or download it again.");
        }

        cursor.UInt32("the magic");
        return cursor.UInt32("the version") switch
        {
            2 => 2,
            3 => 3,
            1 => throw new ModelFileException(
                $"{file.Path}: found GGUF version 1, supported are 2 and 3; convert the model again with a current converter."),
            uint version when (version & ushort.MaxValue) == 0 => throw new ModelFileException(
                $"{file.Path}: found a big-endian GGUF file, supported are little-endian ones; convert the model again for this machine."),
            uint version => throw new ModelFileException(
                $"{file.Path}: found GGUF version {version} at byte offset 4, supported are 2 and 3; "
                + "the file is damaged or newer than KvIL."),
        };
    }

    private static long ReadAlignment(GgufMetadata metadata)
    {
        if (metadata.Find("general.alignment") is not { } field)
        {
            return DefaultAlignment;
        }

        int alignment = field.Integer(1, 1 << 30);
        return BitOperations.IsPow2(alignment) ? alignment : throw field.Expected("a power of two");
    }

    private static Entry ReadEntry(GgufCursor cursor)
    {
        long at = cursor.Position;
        string name = Encoding.UTF8.GetString(cursor.Text("a tensor's name"));
        string where = $"tensor {ModelFileException.Quote(name)}";
        uint dimensions = cursor.UInt32(where);
        if (dimensions > MaxDimensions)
        {
            throw cursor.Error($"{where} has {dimensions} dimensions, more than {MaxDimensions}", at);
        }

        long[] shape = new long[dimensions];
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            ulong extent = cursor.UInt64(where);
            shape[i] = extent <= long.MaxValue ? (long)extent : throw cursor.Error($"{where} has a dimension of {extent}", at);
        }

        return new Entry(name, at, cursor.UInt32(where), shape, cursor.UInt64(where));
    }

    private static List<FileTensor> Place(
        MappedFile file, GgufCursor cursor, List<Entry> entries, long dataStart, long alignment)
    {
        long dataBytes = Math.Max(0, file.Memory.LengthBytes - dataStart);
        var tensors = new List<FileTensor>();
        long end = 0;
        Entry[] inOrder = [.. entries.OrderBy(entry => entry.Offset)];
        for (int i = 0; i < inOrder.Length; i++)
        {
            Entry entry = inOrder[i];
            string where = $"tensor {ModelFileException.Quote(entry.Name)}";
            if (entry.Offset > (ulong)dataBytes || entry.Offset % (ulong)alignment != 0)
            {
                throw cursor.Error(
                    $"{where} has the offset {entry.Offset}, which is no multiple of {alignment} within the {dataBytes} bytes of data",
                    entry.HeaderOffset);
            }

            long begin = (long)entry.Offset;
            long next = i + 1 < inOrder.Length ? (long)Math.Min(inOrder[i + 1].Offset, (ulong)dataBytes) : dataBytes;
            GgufTensorType? type = GgufTensorTypes.Find(entry.Type);
            // A type that is not known takes what there is up to the next tensor, so that it can be listed.
            long size = type is null ? next - begin : type.Value.SizeBytes(entry.Shape) ?? throw cursor.Error(
                $"{where} of type {type.Value.Name} and shape {Shapes.Show(entry.Shape)} is not whole blocks of "
                + $"{type.Value.BlockElements} or has no size in bytes", entry.HeaderOffset);
            if (begin < end || size > dataBytes - begin)
            {
                string fault = begin < end ? "overlaps the tensor before it" : $"ends {size - (dataBytes - begin)} bytes behind the end of the file";
                throw cursor.Error($"{where} at data offset {begin} with {size} bytes {fault}", entry.HeaderOffset);
            }

            end = begin + size;
            HostMemory data = size == 0 ? file.Memory.Slice(0, 0) : file.Memory.Slice(dataStart + begin, size);
            tensors.Add(new FileTensor(
                entry.Name, type?.Name ?? $"type {entry.Type}", entry.Shape, data, file.Path, dataStart + begin));
        }

        return tensors;
    }

    private sealed record Entry(string Name, long HeaderOffset, uint Type, long[] Shape, ulong Offset);
}
