using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using KvIL.Tensors;

namespace KvIL.Bench;

/// <summary>Writes a Llama checkpoint of a given shape with random weights: speed depends on shapes and types, not on what a model knows.</summary>
internal static class SyntheticCheckpoint
{
    /// <summary>SmolLM2-135M: 30 layers, width 576, 9 query and 3 KV heads of 64, MLP 1,536, vocabulary 49,152, tied.</summary>
    public static void WriteSmolLm2(string directory, DType type)
    {
        const int layers = 30, width = 576, queries = 9 * 64, keys = 3 * 64, mlp = 1536, vocabulary = 49152;
        Directory.CreateDirectory(directory);
        File.WriteAllText(Path.Combine(directory, "config.json"), JsonSerializer.Serialize(new
        {
            architectures = (string[])["LlamaForCausalLM"],
            model_type = "llama",
            hidden_size = width,
            intermediate_size = mlp,
            num_hidden_layers = layers,
            num_attention_heads = 9,
            num_key_value_heads = 3,
            head_dim = 64,
            hidden_act = "silu",
            max_position_embeddings = 8192,
            rms_norm_eps = 1e-5,
            rope_theta = 100000.0,
            tie_word_embeddings = true,
            vocab_size = vocabulary,
        }));

        List<(string Name, int[] Shape)> tensors = [("model.embed_tokens.weight", [vocabulary, width]), ("model.norm.weight", [width])];
        for (int layer = 0; layer < layers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            tensors.AddRange([
                (prefix + "input_layernorm.weight", [width]),
                (prefix + "post_attention_layernorm.weight", [width]),
                (prefix + "self_attn.q_proj.weight", [queries, width]),
                (prefix + "self_attn.k_proj.weight", [keys, width]),
                (prefix + "self_attn.v_proj.weight", [keys, width]),
                (prefix + "self_attn.o_proj.weight", [width, queries]),
                (prefix + "mlp.gate_proj.weight", [mlp, width]),
                (prefix + "mlp.up_proj.weight", [mlp, width]),
                (prefix + "mlp.down_proj.weight", [width, mlp]),
            ]);
        }

        WriteTensors(Path.Combine(directory, "model.safetensors"), type, tensors);
    }

    private static void WriteTensors(string path, DType type, List<(string Name, int[] Shape)> tensors)
    {
        long offset = 0;
        Dictionary<string, object> header = [];
        foreach ((string name, int[] shape) in tensors)
        {
            long end = offset + type.SizeBytes(shape.Aggregate(1L, (count, extent) => count * extent));
            header[name] = new { dtype = type.ToString(), shape, data_offsets = (long[])[offset, end] };
            offset = end;
        }

        byte[] json = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(header));
        using FileStream file = File.Create(path);
        Span<byte> length = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        file.Write(length);
        file.Write(json);
        byte[] block = RandomBlock(type);
        for (long written = 0; written < offset; written += block.Length)
        {
            file.Write(block, 0, (int)Math.Min(block.Length, offset - written));
        }
    }

    // Weights of the size that keeps activations near 1.
    private static byte[] RandomBlock(DType type)
    {
        Random random = new(1);
        byte[] block = new byte[1 << 20];
        int size = type.BlockBytes();
        for (int i = 0; i < block.Length; i += size)
        {
            float value = (float)((random.NextDouble() - 0.5) * 0.1);
            if (type == DType.F32)
            {
                BinaryPrimitives.WriteSingleLittleEndian(block.AsSpan(i), value);
            }
            else
            {
                BinaryPrimitives.WriteHalfLittleEndian(block.AsSpan(i), (Half)value);
            }
        }

        return block;
    }
}
