using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using KvIL.Tensors;

namespace KvIL.Tests.Engines;

/// <summary>A small Llama with random weights: every size is odd where it may be.</summary>
/// <remarks>
/// Weights have standard deviation 0.3/√inputs. A layer then passes an error on with a factor of about 5 in the worst case, so
/// that the error bound of a few layers stays far below what a wrong key or position changes.
/// </remarks>
internal sealed record SyntheticModel(
    int Layers, int KvHeads, int Group, int HeadDim, int Hidden, int Intermediate, int Vocabulary, DType Type, bool Tied, bool Biases,
    int Context = 128)
{
    public const int Seed = 5;

    /// <summary>Groups 1 to 4, every stored type, with and without biases and a head of its own.</summary>
    public static SyntheticModel[] All { get; } =
    [
        new(2, 2, 1, 6, 17, 23, 31, DType.F32, Tied: false, Biases: false),
        new(2, 1, 2, 10, 19, 13, 37, DType.BF16, Tied: true, Biases: true),
        new(2, 2, 3, 4, 33, 21, 29, DType.F16, Tied: false, Biases: true),
        new(1, 3, 4, 2, 15, 9, 41, DType.F32, Tied: true, Biases: false),
    ];

    /// <summary>Layers enough for sharing maps.</summary>
    public static SyntheticModel Deep { get; } = new(4, 2, 2, 4, 13, 11, 23, DType.F32, Tied: true, Biases: false);

    /// <summary>Writes config.json and model.safetensors.</summary>
    public void Write(string directory)
    {
        File.WriteAllText(Path.Combine(directory, "config.json"), JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["architectures"] = new[] { "LlamaForCausalLM" },
            ["model_type"] = "llama",
            ["hidden_act"] = "silu",
            ["hidden_size"] = Hidden,
            ["intermediate_size"] = Intermediate,
            ["num_hidden_layers"] = Layers,
            ["num_attention_heads"] = KvHeads * Group,
            ["num_key_value_heads"] = KvHeads,
            ["head_dim"] = HeadDim,
            ["vocab_size"] = Vocabulary,
            ["max_position_embeddings"] = Context,
            ["rms_norm_eps"] = 1e-5,
            ["rope_theta"] = 100.0,
            ["tie_word_embeddings"] = Tied,
            ["attention_bias"] = Biases,
            ["mlp_bias"] = Biases,
        }));
        using MemoryStream data = new();
        Dictionary<string, object> header = [];
        foreach ((string name, int[] shape) in Tensors())
        {
            long start = data.Position;
            Append(data, name, shape);
            string type = Type.ToString();
            header[name] = new Dictionary<string, object> { ["dtype"] = type, ["shape"] = shape, ["data_offsets"] = new[] { start, data.Position } };
        }

        byte[] json = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(header));
        using FileStream file = File.Create(Path.Combine(directory, "model.safetensors"));
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        file.Write(length);
        file.Write(json);
        data.WriteTo(file);
    }

    private IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        (int queries, int keys) = (KvHeads * Group * HeadDim, KvHeads * HeadDim);
        yield return ("model.embed_tokens.weight", [Vocabulary, Hidden]);
        if (!Tied) yield return ("lm_head.weight", [Vocabulary, Hidden]);
        yield return ("model.norm.weight", [Hidden]);
        for (int layer = 0; layer < Layers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            yield return (prefix + "input_layernorm.weight", [Hidden]);
            yield return (prefix + "post_attention_layernorm.weight", [Hidden]);
            foreach ((string name, int outputs, int inputs) in new[]
            {
                ("self_attn.q_proj", queries, Hidden), ("self_attn.k_proj", keys, Hidden), ("self_attn.v_proj", keys, Hidden),
                ("self_attn.o_proj", Hidden, queries), ("mlp.gate_proj", Intermediate, Hidden), ("mlp.up_proj", Intermediate, Hidden),
                ("mlp.down_proj", Hidden, Intermediate),
            })
            {
                yield return ($"{prefix}{name}.weight", [outputs, inputs]);
                if (Biases) yield return ($"{prefix}{name}.bias", [outputs]);
            }
        }
    }

    // Norms are near 1, embeddings of unit size, everything else 0.3/√inputs.
    private void Append(Stream data, string name, int[] shape)
    {
        bool norm = name.Contains("norm", StringComparison.Ordinal);
        double spread = norm ? 0.1 : name.Contains("embed", StringComparison.Ordinal) ? 1 : 0.3 / Math.Sqrt(shape[^1]);
        Random random = new(name.Aggregate(Seed, (hash, c) => unchecked((hash * 31) + c)));
        int count = shape.Aggregate(1, (product, extent) => product * extent);
        Span<byte> bytes = stackalloc byte[4];
        for (int i = 0; i < count; i++)
        {
            double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            float value = (float)((norm ? 1 : 0) + (spread * normal));
            switch (Type)
            {
                case DType.F16: MemoryMarshal.Write(bytes, (Half)value); break;
                case DType.BF16: MemoryMarshal.Write(bytes, (short)(BitConverter.SingleToInt32Bits(value) >> 16)); break;
                default: MemoryMarshal.Write(bytes, value); break;
            }

            data.Write(bytes[..Type.BlockBytes()]);
        }
    }
}
