using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using KvIL.Conformance.Generators;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Quantization;

/// <summary>The scalar definition gives the numbers that ggml gives.</summary>
public sealed class DequantizationTests
{
    /// <summary>512 pseudo-random blocks, the first 64 with scales at the edges of binary16; the digests are of what ggml's own functions made of them.</summary>
    [Theory]
    [InlineData(DType.Q8_0, "8688BC90EFAF596AF9F490AE8A038350C15A74B2DAE0C4C84396B1126373FD72")]
    [InlineData(DType.Q4_0, "E65315BAA6C52435A03A7FAF6E462D83289D1916D597596631138723F5A471ED")]
    [InlineData(DType.Q4_1, "6B916FD9DC745B0416323C38F808F1A247E9B4DCA8F554829800C3A53F8BDE5D")]
    [InlineData(DType.Q5_0, "7E71CC9AF26927810FF26C2E315E20426CB4FC0A132C16E87E7316DACB9BE6E5")]
    [InlineData(DType.Q5_1, "2AD47D44B9A9A96E95435865F470375EF998E9BFEAC93F5C4E3460DDC31C6D76")]
    [InlineData(DType.Q2_K, "878A966343C21C8D21955355137CE5632AD2D7E52CE400430ACB2241286159C2")]
    [InlineData(DType.Q3_K, "08F7DADF788B36064AD609E77A75331C257DB013837E4A8957145FC75799697E")]
    [InlineData(DType.Q4_K, "1B371C433FC75BA761E612FFF8799D5A2C9DE6A5ECD5FAC6F9E1914467C0AEA0")]
    [InlineData(DType.Q5_K, "606A83C0549BF3F0CF93422FF345D954BECCA2514864D3D6C06BE3A5CEEB6858")]
    [InlineData(DType.Q6_K, "DA070E92EF84C00CBFBCB10AEE97E68828F9A40FE80D0260B2DF2AFDEB5C42E4")]
    public void The_definition_is_ggmls(DType type, string digest)
    {
        byte[] blocks = QuantizedBytes.WithEdgeScales(type, 512);
        float[] weights = new float[512 * type.BlockElements()];
        Dequantization.ToFloat32(type, blocks, weights);
        Assert.Equal(digest, Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes<int>(Array.ConvertAll(weights, QuantizedBytes.Bits)))));
    }

    [Theory]
    [InlineData(DType.Q8_0, 32, 34)]
    [InlineData(DType.Q4_K, 256, 144)]
    public void Blocks_must_be_whole(DType type, int elements, int bytes)
    {
        Assert.Throws<ArgumentException>(() => Dequantization.ToFloat32(type, new byte[bytes + 1], new float[elements]));
        Assert.Throws<ArgumentException>(() => Dequantization.ToFloat32(type, new byte[bytes], new float[elements - 1]));
        Assert.Throws<ArgumentException>(() => Dequantization.ToFloat32(type, new byte[bytes], new float[2 * elements]));
        Assert.Throws<ArgumentException>(() => Dequantization.ToFloat32(DType.F32, new byte[4], new float[1]));
        Assert.Equal((elements, bytes, 3L * bytes), (type.BlockElements(), type.BlockBytes(), type.SizeBytes(3 * elements)));
        ArgumentException refusal = Assert.Throws<ArgumentException>(() => new TensorSpec(type, elements, elements / 2).SizeBytes);
        Assert.Equal($"expected rows of whole blocks of {elements} elements, got {type}[{elements}, {elements / 2}].", refusal.Message);
    }

    /// <summary>Every tensor of a checkpoint as it is published: Q4_1 and Q8_0 weights, F32 norms.</summary>
    [SharedFact("models/smollm2-135m-instruct/tensors.json")]
    public void Every_tensor_of_a_published_checkpoint()
    {
        string folder = Shared.PathOf("models/smollm2-135m-instruct");
        using FileStream file = File.OpenRead(Path.Combine(folder, "SmolLM2-135M-Instruct.Q4_1.gguf"));
        using JsonDocument recorded = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "tensors.json")));
        int count = 0;
        foreach (JsonElement tensor in recorded.RootElement.EnumerateArray())
        {
            DType type = Enum.Parse<DType>(tensor.GetProperty("type").GetString()!);
            byte[] stored = new byte[tensor.GetProperty("bytes").GetInt32()];
            file.Position = tensor.GetProperty("data_offset").GetInt64();
            file.ReadExactly(stored);
            float[] weights = new float[stored.Length / type.BlockBytes() * type.BlockElements()];
            if (type == DType.F32) MemoryMarshal.Cast<byte, float>(stored).CopyTo(weights);
            else Dequantization.ToFloat32(type, stored, weights);
            string name = tensor.GetProperty("name").GetString()!;
            Assert.Equal(tensor.GetProperty("dims").EnumerateArray().Aggregate(1, (n, extent) => n * extent.GetInt32()), weights.Length);
            Assert.Equal(tensor.GetProperty("first").EnumerateArray().Select(x => x.GetSingle()), weights.Take(4));
            Assert.Equal(
                (name, tensor.GetProperty("sha256").GetString()),
                (name, Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<float>(weights)))));
            count++;
        }

        Assert.Equal(272, count);
    }
}

/// <summary>Bytes of quantised blocks.</summary>
internal static class QuantizedBytes
{
    private static readonly ushort[] s_edges = [0x7C00, 0xFC00, 0x7E00, 0x0001, 0x8000, 0x0000, 0x03FF, 0x83FF];

    /// <summary>The quantised types.</summary>
    public static TheoryData<DType> Types => [.. Enum.GetValues<DType>().Where(type => type.IsQuantized())];

    /// <summary>Bytes of a linear congruential generator; infinities, NaN, zeros and subnormals as scales of the first 64 blocks.</summary>
    public static byte[] WithEdgeScales(DType type, int blocks)
    {
        byte[] bytes = new byte[blocks * type.BlockBytes()];
        uint state = 12345;
        for (int i = 0; i < bytes.Length; i++)
        {
            state = unchecked((state * 1664525) + 1013904223);
            bytes[i] = (byte)(state >> 24);
        }

        for (int block = 0; block < Math.Min(64, blocks); block++)
        {
            ImmutableArray<int> offsets = QuantizedCase.HalfOffsets(type);
            for (int i = 0; i < offsets.Length; i++)
            {
                ushort edge = s_edges[i == 0 ? block % 8 : block / 8];
                BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan((block * type.BlockBytes()) + offsets[i]), edge);
            }
        }

        return bytes;
    }

    /// <summary>The bits of a number; one pattern for every NaN.</summary>
    public static int Bits(float value) => float.IsNaN(value) ? 0x7FC00000 : BitConverter.SingleToInt32Bits(value);
}
