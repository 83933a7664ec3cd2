using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace KvIL.Tests.Cli;

/// <summary>Safetensors files with the numbers of a layer.</summary>
internal sealed class LayerFileBytes
{
    private readonly Dictionary<string, object> _header = [];
    private readonly List<byte> _data = [];

    /// <summary>q <c>[h, T, d]</c>, k and v <c>[kv, T, d]</c>, wo <c>[D, h·d]</c> of numbers that every type can store.</summary>
    public static LayerFileBytes Layer(int h = 4, int kv = 2, int tokens = 40, int d = 4, int width = 6, string prefix = "", string type = "F32", int seed = 1) =>
        new LayerFileBytes()
            .Add(prefix + "q", type, [h, tokens, d], Numbers(seed, h * tokens * d))
            .Add(prefix + "k", type, [kv, tokens, d], Numbers(seed + 1, kv * tokens * d))
            .Add(prefix + "v", type, [kv, tokens, d], Numbers(seed + 2, kv * tokens * d))
            .Add(prefix + "wo", type, [width, h * d], Numbers(seed + 3, width * h * d));

    /// <summary>Multiples of 1/16 below 4 in magnitude: exact in F16, BF16 and wider.</summary>
    public static double[] Numbers(int seed, int count)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(-63, 64) / 16.0)];
    }

    public LayerFileBytes Add(string name, string type, int[] shape, params double[] values)
    {
        int begin = _data.Count;
        foreach (double value in values) _data.AddRange(Encode(type, value));
        _header.Add(name, new { dtype = type, shape, data_offsets = new[] { begin, _data.Count } });
        return this;
    }

    public byte[] ToArray()
    {
        byte[] header = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(_header));
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        return [.. length, .. header, .. _data];
    }

    private static byte[] Encode(string type, double value) => type switch
    {
        "F64" => BitConverter.GetBytes(value),
        "F32" => BitConverter.GetBytes((float)value),
        "F16" => BitConverter.GetBytes((Half)value),
        "BF16" => BitConverter.GetBytes((float)value)[2..],
        "I32" => BitConverter.GetBytes((int)value),
        _ => throw new ArgumentException(type, nameof(type)),
    };
}
