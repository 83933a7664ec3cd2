using System.Runtime.InteropServices;
using KvIL.Inference.Files;
using KvIL.Inference.Files.Synthesis;
using KvIL.Tensors;

namespace KvIL.Tests.Files;

/// <summary>Writes a Hugging Face checkpoint as llama.cpp's converter would: names, metadata, order of rows, norms of Gemma.</summary>
internal static class GgufConversion
{
    private static readonly string[] Permuted = ["llama", "granite", "smollm3"];

    public static void Convert(Checkpoint from, string path)
    {
        ModelConfig c = from.Config;
        string architecture = c.ModelType == "mistral" ? "llama" : c.ModelType.Replace("_text", "", StringComparison.Ordinal);
        var writer = new GgufWriter();
        writer.Add("general.architecture", architecture);
        foreach ((string key, object value) in Fields(c).Concat(OfFamily(c, architecture)))
        {
            writer.Add($"{architecture}.{key}", value);
        }

        AddVocabulary(writer, c.VocabSize);
        foreach (FileTensor tensor in from.Tensors.Values)
        {
            float[] weights = Widen(tensor);
            string name = Name(tensor.Name, c);
            if (Permuted.Contains(architecture) && (name.Contains(".attn_q.", StringComparison.Ordinal) || name.Contains(".attn_k.", StringComparison.Ordinal)))
            {
                weights = Interleave(weights, c.HeadDim, (int)(tensor.ElementCount / tensor.Shape[0]));
            }

            if (architecture.StartsWith("gemma", StringComparison.Ordinal) && name.EndsWith("norm.weight", StringComparison.Ordinal))
            {
                weights = [.. weights.Select(w => w + 1)];
            }

            Add(writer, name, [.. tensor.Shape], weights);
        }

        if (c.Layers[0].Rope?.Scaling is LongRopeScaling scaling)
        {
            Add(writer, "rope_factors_short.weight", [scaling.ShortDivisors.Length], [.. scaling.ShortDivisors.Select(d => (float)d)]);
            Add(writer, "rope_factors_long.weight", [scaling.LongDivisors.Length], [.. scaling.LongDivisors.Select(d => (float)d)]);
        }

        writer.Write(path);
    }

    /// <summary>The elements as binary32.</summary>
    public static float[] Widen(FileTensor tensor) => tensor.Type switch
    {
        DType.F32 => MemoryMarshal.Cast<byte, float>(tensor.Data.AsSpan()).ToArray(),
        DType.F16 => [.. MemoryMarshal.Cast<byte, Half>(tensor.Data.AsSpan()).ToArray().Select(half => (float)half)],
        _ => [.. MemoryMarshal.Cast<byte, ushort>(tensor.Data.AsSpan()).ToArray().Select(bits => BitConverter.UInt32BitsToSingle((uint)bits << 16))],
    };

    /// <summary>Rows of each head from half-split order to interleaved pairs: row 2i is i, row 2i + 1 is i + d/2.</summary>
    public static float[] Interleave(float[] weights, int headDim, int columns)
    {
        float[] moved = new float[weights.Length];
        for (int row = 0; row < weights.Length / columns; row++)
        {
            (int head, int i) = (row / headDim, row % headDim);
            int source = (head * headDim) + (i / 2) + (i % 2 * headDim / 2);
            weights.AsSpan(source * columns, columns).CopyTo(moved.AsSpan(row * columns));
        }

        return moved;
    }

    private static IEnumerable<(string, object)> Fields(ModelConfig c)
    {
        // That of layers that see everything, where there are both kinds.
        RopeConfig rope = (c.Layers.FirstOrDefault(layer => layer.Window is null) ?? c.Layers[0]).Rope!;
        yield return ("block_count", (uint)c.NumLayers);
        yield return ("context_length", (uint)c.MaxPositions);
        yield return ("embedding_length", (uint)c.HiddenSize);
        yield return ("feed_forward_length", (uint)c.IntermediateSize);
        yield return ("attention.head_count", (uint)c.NumQueryHeads);
        yield return ("attention.head_count_kv", (uint)c.NumKvHeads);
        yield return ("attention.key_length", (uint)c.HeadDim);
        yield return ("attention.value_length", (uint)c.HeadDim);
        yield return ("attention.layer_norm_rms_epsilon", (float)c.RmsNormEps);
        yield return ("rope.dimension_count", (uint)rope.RotaryDim);
        yield return ("rope.freq_base", (float)rope.Theta);
        switch (c.Layers[0].Rope?.Scaling)
        {
            case LinearScaling linear:
                yield return ("rope.scaling.type", "linear");
                yield return ("rope.scaling.factor", (float)linear.Factor);
                break;
            case YarnScaling yarn:
                yield return ("rope.scaling.type", "yarn");
                yield return ("rope.scaling.factor", (float)yarn.Factor);
                yield return ("rope.scaling.original_context_length", (uint)yarn.OriginalPositions);
                break;
            case LongRopeScaling longRope:
                yield return ("rope.scaling.original_context_length", (uint)longRope.OriginalPositions);
                yield return ("rope.scaling.attn_factor", (float)longRope.Attention);
                break;
        }
    }

    private static (string, object)[] OfFamily(ModelConfig c, string architecture) => architecture switch
    {
        "gemma2" =>
        [
            ("attention.sliding_window", (uint)c.Layers[0].Window!), ("attn_logit_softcapping", (float)c.AttentionSoftCap!),
            ("final_logit_softcapping", (float)c.LogitsSoftCap!),
        ],
        "gemma3" => [("attention.sliding_window", (uint)c.Layers[0].Window!)],
        "phi3" => [("attention.sliding_window", (uint)(c.Layers[0].Window ?? 0))],
        "granite" =>
        [
            ("attention.scale", (float)c.AttentionScale), ("embedding_scale", (float)c.EmbeddingScale),
            ("residual_scale", (float)c.ResidualMultiplier), ("logit_scale", (float)c.LogitsDivisor),
        ],
        _ => [],
    };

    private static void AddVocabulary(GgufWriter writer, int size)
    {
        // The tests feed ids; llama.cpp only wants tokens to be there.
        writer.Add("tokenizer.ggml.model", "gpt2");
        writer.Add("tokenizer.ggml.pre", "smollm");
        string[] tokens = [.. new SyntheticVocabulary(SyntheticVocabulary.MinSize).Tokens.Take(size)];
        writer.Add("tokenizer.ggml.tokens", tokens);
        writer.Add("tokenizer.ggml.token_type", tokens.Select((_, id) => id < 2 ? 3 : 1).ToArray());
        writer.Add("tokenizer.ggml.merges", Array.Empty<string>());
        writer.Add("tokenizer.ggml.bos_token_id", 1u);
        writer.Add("tokenizer.ggml.eos_token_id", 0u);
    }

    private static void Add(GgufWriter writer, string name, long[] shape, float[] weights) =>
        writer.Add(new GgufTensorSource(name, "F32", shape, stream => stream.Write(MemoryMarshal.AsBytes<float>(weights))));

    private static string Name(string name, ModelConfig c)
    {
        string inLayer = name.Replace("model.layers.", "blk.", StringComparison.Ordinal);
        (string From, string To)[] parts =
        [
            ("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output"), ("self_attn.qkv_proj", "attn_qkv"),
            ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"),
            ("self_attn.q_norm", "attn_q_norm"), ("self_attn.k_norm", "attn_k_norm"), ("mlp.gate_up_proj", "ffn_up"), ("mlp.gate_proj", "ffn_gate"),
            ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down"), ("input_layernorm", "attn_norm"), ("pre_feedforward_layernorm", "ffn_norm"),
            ("post_feedforward_layernorm", "post_ffw_norm"),
            ("post_attention_layernorm", c.NormPlacement == NormPlacement.Before ? "ffn_norm" : "post_attention_norm"),
        ];
        foreach ((string from, string to) in parts)
        {
            inLayer = inLayer.Replace(from + ".", to + ".", StringComparison.Ordinal);
        }

        return inLayer;
    }
}
