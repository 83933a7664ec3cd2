using System.Buffers.Binary;
using System.Runtime.InteropServices;
using KvIL.Tensors;

namespace KvIL.Inference.Files;

/// <summary>A model's file as llama2.c writes it: version 0 and 1 (F32) or 2 (8-bit integers with a scale for each group).</summary>
/// <remarks>
/// Version 0: seven 32-bit integers (width, MLP width, layers, query heads, KV heads, vocabulary, positions; a negative vocabulary
/// means an output head of its own), then F32 tensors and the tables of RoPE, which are not used here. Versions 1 and 2: the magic
/// <c>ak42</c>, the version, the same integers, a byte that is 1 where the output head is the embedding, in version 2 the size of a
/// group, zeros up to byte 256, the norms in F32, then the matrices. Of version 2 each matrix is its 8-bit integers, then a 32-bit
/// float for each group of consecutive integers: <c>w = s · q</c>; they are widened to F32 when the file is opened, since the
/// group may be smaller than a block of <see cref="DType.Q8_0"/>. RoPE turns pairs (2f, 2f + 1); the file has no field for it.
/// </remarks>
public sealed class Llama2CFile : IDisposable
{
    private const uint Magic = 0x616b3432;
    private const int HeaderBytes = 256;

    private readonly MappedFile _file;
    private readonly Llama2CHeader _header;
    private readonly Dictionary<string, FileTensor> _tensors = [];
    private long _position;

    private Llama2CFile(MappedFile file)
    {
        _file = file;
        _header = ReadHeader(file);
        if (Problem(_header) is { } problem)
        {
            throw Error(problem);
        }

        if (_header.FileBytes() is var expected && expected != file.Memory.LengthBytes)
        {
            throw Error($"its header (version {_header.Version}) describes a file of {expected} bytes, found {file.Memory.LengthBytes}");
        }

        _position = _header.DataStart;
        ReadTensors();
    }

    /// <summary>0, 1 or 2.</summary>
    public int Version => _header.Version;

    /// <summary>Integers that share a scale; 1 for F32.</summary>
    public int GroupSize => _header.GroupSize;

    /// <summary>The weights by their Hugging Face names, as F32.</summary>
    public IReadOnlyDictionary<string, FileTensor> Tensors => _tensors;

    internal Llama2CHeader Header => _header;

    /// <summary>Whether the file is one, by its magic, or by a plausible header and the size that this implies.</summary>
    /// <exception cref="ModelFileException">The file cannot be read.</exception>
    public static bool Recognises(string path)
    {
        using MappedFile file = MappedFile.Open(path);
        if (file.Memory.LengthBytes < HeaderBytes)
        {
            return false;
        }

        Llama2CHeader header = ReadHeader(file);
        return header.Version != 0 || (Problem(header) is null && header.FileBytes() == file.Memory.LengthBytes);
    }

    /// <summary>Opens the file at <paramref name="path"/>.</summary>
    /// <exception cref="ModelFileException">The file cannot be read, or its header does not fit its size.</exception>
    public static Llama2CFile Open(string path)
    {
        MappedFile file = MappedFile.Open(path);
        try
        {
            return new(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Closes the file; the data of its tensors becomes invalid.</summary>
    public void Dispose() => _file.Dispose();

    private static Llama2CHeader ReadHeader(MappedFile file)
    {
        if (file.Memory.LengthBytes < HeaderBytes)
        {
            throw new ModelFileException(
                $"{file.Path}: found {file.Memory.LengthBytes} bytes, too few for a llama2.c file; download it again.");
        }

        ReadOnlySpan<byte> bytes = file.Memory.Slice(0, HeaderBytes).AsSpan();
        bool versioned = BinaryPrimitives.ReadUInt32LittleEndian(bytes) == Magic;
        int version = versioned ? BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]) : 0;
        ReadOnlySpan<byte> fields = bytes[(versioned ? 8 : 0)..];
        int[] sizes = new int[7];
        for (int i = 0; i < sizes.Length; i++)
        {
            sizes[i] = BinaryPrimitives.ReadInt32LittleEndian(fields[(4 * i)..]);
        }

        int vocabulary = sizes[5];
        bool tied = versioned ? bytes[36] != 0 : vocabulary > 0;
        int group = version == 2 ? BinaryPrimitives.ReadInt32LittleEndian(bytes[37..]) : 1;
        // Only version 0 has a sign there; the smallest integer has no positive one and is refused as negative.
        vocabulary = versioned || vocabulary == int.MinValue ? vocabulary : Math.Abs(vocabulary);
        return new(version, sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], vocabulary, sizes[6], tied, group);
    }

    private static string? Problem(Llama2CHeader h) => h switch
    {
        { Version: < 0 or > 2 } => $"found version {h.Version}, supported are 0, 1 and 2",
        { Width: < 1 or > ModelConfigReader.MaxChannels } => $"found a width of {h.Width}",
        { MlpWidth: < 1 or > ModelConfigReader.MaxChannels } => $"found an MLP width of {h.MlpWidth}",
        { Layers: < 1 or > ModelConfigReader.MaxLayers } => $"found {h.Layers} layers",
        { QueryHeads: < 1 or > ModelConfigReader.MaxHeads } => $"found {h.QueryHeads} query heads",
        { KvHeads: < 1 or > ModelConfigReader.MaxHeads } => $"found {h.KvHeads} KV heads",
        { Vocabulary: < 1 or > ModelConfigReader.MaxVocabSize } => $"found a vocabulary of {h.Vocabulary}",
        { Positions: < 1 or > ModelConfigReader.MaxPositions } => $"found {h.Positions} positions",
        { GroupSize: < 1 or > ModelConfigReader.MaxChannels } => $"found groups of {h.GroupSize}",
        _ when h.Width % (2 * h.QueryHeads) != 0 || h.Width / h.QueryHeads > ModelConfigReader.MaxHeadDim =>
            $"a width of {h.Width} over {h.QueryHeads} heads gives no even size of a head",
        _ when h.QueryHeads % h.KvHeads != 0 => $"{h.KvHeads} KV heads do not divide {h.QueryHeads} query heads",
        _ when h.Matrices().Any(matrix => matrix.Rows * matrix.Columns % h.GroupSize != 0) =>
            $"groups of {h.GroupSize} do not divide every matrix",
        _ => null,
    };

    private void ReadTensors()
    {
        foreach (Llama2CTensor tensor in _header.InFileOrder())
        {
            if (tensor.Name is null)
            {
                _position += tensor.Rows * tensor.Columns * sizeof(float);
                continue;
            }

            long[] shape = tensor.IsVector ? [tensor.Columns] : [tensor.Rows, tensor.Columns];
            long elements = tensor.Rows * tensor.Columns;
            long start = _position;
            HostMemory data = Version == 2 && !tensor.IsVector ? Widen(elements) : Take(elements * sizeof(float));
            _tensors.Add(tensor.Name, new FileTensor(tensor.Name, "F32", shape, data, _file.Path, start));
        }
    }

    private HostMemory Take(long bytes)
    {
        HostMemory data = _file.Memory.Slice(_position, bytes);
        _position += bytes;
        return data;
    }

    // w = s · q
    private HostMemory Widen(long elements)
    {
        if (elements > Array.MaxLength / sizeof(float))
        {
            throw Error($"a matrix has {elements} elements, more than can be widened to F32");
        }

        ReadOnlySpan<sbyte> q = MemoryMarshal.Cast<byte, sbyte>(Take(elements).AsSpan());
        ReadOnlySpan<float> s = MemoryMarshal.Cast<byte, float>(Take(elements / GroupSize * sizeof(float)).AsSpan());
        float[] w = GC.AllocateUninitializedArray<float>((int)elements, pinned: true);
        for (int i = 0; i < w.Length; i++)
        {
            w[i] = s[i / GroupSize] * q[i];
        }

        return new HostMemory(Marshal.UnsafeAddrOfPinnedArrayElement(w, 0), (long)w.Length * sizeof(float), w);
    }

    private ModelFileException Error(string problem) =>
        new($"{_file.Path}: {problem}; the file is damaged or no llama2.c file, so download it again.");
}
