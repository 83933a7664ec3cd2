using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace KvIL.Inference.Files;

/// <summary>A tensor to be written: its data come from a callback, so that no model needs to be in memory as a whole.</summary>
/// <param name="Name">Name in the file.</param>
/// <param name="StoredType">Type in the format's spelling, such as <c>BF16</c>.</param>
/// <param name="Shape">Dimensions, outermost first.</param>
/// <param name="Write">Writes the data, little-endian and row-major, exactly as many bytes as type and shape take.</param>
public sealed record SafeTensorsSource(string Name, string StoredType, IReadOnlyList<long> Shape, Action<Stream> Write);

/// <summary>Writes files in the safetensors format.</summary>
public static class SafeTensorsWriter
{
    // The header ends with blanks, so that the data start at a multiple of this.
    private const int Alignment = 8;

    /// <summary>Writes the tensors in the order given; where anything fails, <paramref name="path"/> is as it was before.</summary>
    /// <exception cref="ModelFileException">The file system refuses.</exception>
    /// <exception cref="InvalidOperationException">A callback wrote another number of bytes than its tensor takes.</exception>
    public static void Write(string path, IReadOnlyList<SafeTensorsSource> tensors, CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        AtomicFile.Write(path, stream =>
        {
            byte[] header = Header(tensors);
            Span<byte> length = stackalloc byte[sizeof(ulong)];
            BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (SafeTensorsSource tensor in tensors)
            {
                cancelled.ThrowIfCancellationRequested();
                long before = stream.Position;
                tensor.Write(stream);
                if (stream.Position - before != Size(tensor))
                {
                    throw new InvalidOperationException($"Tensor {tensor.Name}: {stream.Position - before} bytes written of {Size(tensor)}.");
                }
            }
        });
    }

    private static byte[] Header(IReadOnlyList<SafeTensorsSource> tensors)
    {
        using MemoryStream json = new();
        using (Utf8JsonWriter writer = new(json, new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("__metadata__");
            writer.WriteString("format", "pt");
            writer.WriteEndObject();
            long offset = 0;
            foreach (SafeTensorsSource tensor in tensors)
            {
                writer.WriteStartObject(tensor.Name);
                writer.WriteString("dtype", tensor.StoredType);
                Numbers(writer, "shape", tensor.Shape);
                Numbers(writer, "data_offsets", [offset, offset += Size(tensor)]);
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        while ((json.Length + sizeof(ulong)) % Alignment != 0)
        {
            json.WriteByte((byte)' ');
        }

        return json.ToArray();
    }

    private static void Numbers(Utf8JsonWriter writer, string name, IReadOnlyList<long> values)
    {
        writer.WriteStartArray(name);
        foreach (long value in values) writer.WriteNumberValue(value);
        writer.WriteEndArray();
    }

    private static long Size(SafeTensorsSource tensor) => StoredTypes.IsKnown(tensor.StoredType) && StoredTypes.SizeBytes(tensor.StoredType, tensor.Shape) is long size
        ? size
        : throw new ArgumentException($"Tensor {tensor.Name}: {tensor.StoredType} {Shapes.Show([.. tensor.Shape])} has no size in bytes.");
}
