using System.Numerics;
using System.Text;

namespace KvIL.Inference.Files;

/// <summary>A tensor to be written: its data come from a callback, so that no model needs to be in memory as a whole.</summary>
/// <param name="Name">Name in the file.</param>
/// <param name="StoredType">Type in ggml's spelling, such as <c>Q4_K</c>.</param>
/// <param name="Shape">Dimensions, outermost first; rows are whole blocks of the type.</param>
/// <param name="Write">Writes the data, exactly as many bytes as type and shape take.</param>
public sealed record GgufTensorSource(string Name, string StoredType, IReadOnlyList<long> Shape, Action<Stream> Write);

/// <summary>Writes files in the GGUF format, version 3, little-endian.</summary>
public sealed class GgufWriter
{
    private const uint FormatVersion = 3;
    private const int DefaultAlignment = 32;

    private readonly List<(string Key, object Value)> _metadata = [];
    private readonly List<GgufTensorSource> _tensors = [];
    private int _alignment = DefaultAlignment;

    /// <summary>Adds a metadata value, in the order of the calls.</summary>
    /// <param name="key">The key; <c>general.alignment</c> has its effect too.</param>
    /// <param name="value">A number of 8 to 64 bits, a boolean, a string, or an array of these or of arrays.</param>
    /// <exception cref="ArgumentException">The value has another type, or the alignment is no power of two.</exception>
    public void Add(string key, object value)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentNullException.ThrowIfNull(value);
        TypeOf(value.GetType());
        if (key == "general.alignment")
        {
            _alignment = value is uint alignment && BitOperations.IsPow2(alignment) && alignment <= 1 << 30
                ? (int)alignment
                : throw new ArgumentException("Expected a power of two as uint.", nameof(value));
        }

        _metadata.Add((key, value));
    }

    /// <summary>Adds a tensor, in the order of the calls.</summary>
    /// <exception cref="ArgumentException">Its rows are not whole blocks of its type.</exception>
    public void Add(GgufTensorSource tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        SizeOf(tensor);
        _tensors.Add(tensor);
    }

    /// <summary>Bytes of all tensors with their padding.</summary>
    public long DataBytes => _tensors.Sum(tensor => Pad(SizeOf(tensor)));

    /// <summary>Writes the file; where anything fails, <paramref name="path"/> is as it was before.</summary>
    /// <exception cref="IOException">The file cannot be written; the message is one sentence.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; tensors' callbacks may throw it too.</exception>
    public void Write(string path, CancellationToken cancelled = default) =>
        AtomicFile.Write(path, stream => Write(stream, cancelled));

    /// <summary>Writes the file to a stream that need not seek.</summary>
    /// <exception cref="InvalidOperationException">A callback wrote another number of bytes than its tensor takes.</exception>
    public void Write(Stream stream, CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        byte[] header = Header();
        stream.Write(header);
        Zeros(stream, Pad(header.Length) - header.Length);
        foreach (GgufTensorSource tensor in _tensors)
        {
            cancelled.ThrowIfCancellationRequested();
            long size = SizeOf(tensor);
            var counted = new CountingStream(stream);
            tensor.Write(counted);
            if (counted.Count != size)
            {
                throw new InvalidOperationException($"Tensor {tensor.Name}: {counted.Count} bytes written of {size}.");
            }

            Zeros(stream, Pad(size) - size);
        }
    }

    private static long SizeOf(GgufTensorSource tensor) =>
        GgufTensorTypes.Named(tensor.StoredType).Type.SizeBytes(tensor.Shape)
        ?? throw new ArgumentException($"Tensor {tensor.Name}: {Shapes.Show([.. tensor.Shape])} is not whole blocks of {tensor.StoredType}.");

    private static void Zeros(Stream stream, long count) => stream.Write(new byte[count]);

    private static GgufValueType TypeOf(Type type) => Type.GetTypeCode(type) switch
    {
        TypeCode.Byte => GgufValueType.UInt8,
        TypeCode.SByte => GgufValueType.Int8,
        TypeCode.UInt16 => GgufValueType.UInt16,
        TypeCode.Int16 => GgufValueType.Int16,
        TypeCode.UInt32 => GgufValueType.UInt32,
        TypeCode.Int32 => GgufValueType.Int32,
        TypeCode.UInt64 => GgufValueType.UInt64,
        TypeCode.Int64 => GgufValueType.Int64,
        TypeCode.Single => GgufValueType.Float32,
        TypeCode.Double => GgufValueType.Float64,
        TypeCode.Boolean => GgufValueType.Bool,
        TypeCode.String => GgufValueType.String,
        _ when type.IsArray => ArrayOf(type.GetElementType()!),
        _ => throw new ArgumentException($"GGUF metadata has no type for {type}.", nameof(type)),
    };

    // Looks at the element type too, so that what cannot be written is refused when it is added.
    private static GgufValueType ArrayOf(Type element)
    {
        TypeOf(element);
        return GgufValueType.Array;
    }

    private long Pad(long bytes) => bytes + (-bytes & (_alignment - 1));

    private byte[] Header()
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        writer.Write(GgufPart.Magic);
        writer.Write(FormatVersion);
        writer.Write((ulong)_tensors.Count);
        writer.Write((ulong)_metadata.Count);
        foreach ((string key, object value) in _metadata)
        {
            Write(writer, key);
            writer.Write((uint)TypeOf(value.GetType()));
            Write(writer, value);
        }

        long offset = 0;
        foreach (GgufTensorSource tensor in _tensors)
        {
            Write(writer, tensor.Name);
            writer.Write((uint)tensor.Shape.Count);
            foreach (long extent in tensor.Shape.Reverse())
            {
                writer.Write(extent);
            }

            writer.Write(GgufTensorTypes.Named(tensor.StoredType).Number);
            writer.Write(offset);
            offset += Pad(SizeOf(tensor));
        }

        return bytes.ToArray();
    }

    // BinaryWriter is little-endian on every machine.
    private static void Write(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case byte v: writer.Write(v); break;
            case sbyte v: writer.Write(v); break;
            case ushort v: writer.Write(v); break;
            case short v: writer.Write(v); break;
            case uint v: writer.Write(v); break;
            case int v: writer.Write(v); break;
            case ulong v: writer.Write(v); break;
            case long v: writer.Write(v); break;
            case float v: writer.Write(v); break;
            case double v: writer.Write(v); break;
            case bool v: writer.Write(v); break;
            case string v:
                byte[] utf8 = Encoding.UTF8.GetBytes(v);
                writer.Write((ulong)utf8.Length);
                writer.Write(utf8);
                break;
            default:
                var array = (Array)value;
                writer.Write((uint)TypeOf(array.GetType().GetElementType()!));
                writer.Write((ulong)array.Length);
                foreach (object element in array)
                {
                    Write(writer, element);
                }

                break;
        }
    }

    private sealed class CountingStream(Stream inner) : Stream
    {
        public long Count { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            inner.Write(buffer);
            Count += buffer.Length;
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush() => inner.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
