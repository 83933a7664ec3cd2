using System.Buffers.Binary;
using System.Text;

namespace KvIL.Tests.Files;

/// <summary>Files in the safetensors format, good and bad.</summary>
internal static class SafeTensorsBytes
{
    /// <summary>A file of that header and so many bytes of data, counting up from 0.</summary>
    public static byte[] Of(string header, int dataBytes, ulong? headerLength = null)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] file = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(file, headerLength ?? (ulong)json.Length);
        json.CopyTo(file, 8);
        for (int i = 0; i < dataBytes; i++)
        {
            file[8 + json.Length + i] = (byte)i;
        }

        return file;
    }

    /// <summary>A file of F32 tensors of two elements each.</summary>
    public static byte[] OfNames(params string[] names)
    {
        IEnumerable<string> entries = names.Select((name, i) =>
            $$"""{{Quote(name)}}:{"dtype":"F32","shape":[2],"data_offsets":[{{8 * i}},{{(8 * i) + 8}}]}""");
        return Of($"{{{string.Join(',', entries)}}}", 8 * names.Length);
    }

    private static string Quote(string name) => $"\"{name}\"";
}
