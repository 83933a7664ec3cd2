using System.Globalization;

namespace KvIL.Inference.Files;

/// <summary>Names of tensors: GGUF's, and those of Hugging Face checkpoints that KvIL goes by.</summary>
/// <remarks>GGUF's are those of llama.cpp's converter (gguf-py, <c>TENSOR_NAMES</c>).</remarks>
internal static class GgufNames
{
    private const string BlockPrefix = "blk.";

    /// <summary>The Hugging Face name; a name without one stays as it is (<c>rope_freqs.weight</c>).</summary>
    /// <param name="name">The name in the file.</param>
    /// <param name="config">Where the architecture normalises decides which norm is which.</param>
    public static string Canonical(string name, ModelConfig config)
    {
        int dot = name.LastIndexOf('.');
        if (dot < 0 || name[(dot + 1)..] is not ("weight" or "bias") || Part(name[..dot], config) is not { } part)
        {
            return name;
        }

        return part + name[dot..];
    }

    private static string? Part(string stem, ModelConfig config)
    {
        if (!stem.StartsWith(BlockPrefix, StringComparison.Ordinal))
        {
            return stem switch
            {
                "token_embd" => "model.embed_tokens",
                "output_norm" => "model.norm",
                "output" => "lm_head",
                _ => null,
            };
        }

        int dot = stem.IndexOf('.', BlockPrefix.Length);
        return dot > 0
            && int.TryParse(stem.AsSpan(BlockPrefix.Length, dot - BlockPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int layer)
            && InLayer(stem[(dot + 1)..], config) is { } part
                ? string.Create(CultureInfo.InvariantCulture, $"model.layers.{layer}.{part}")
                : null;
    }

    private static string? InLayer(string part, ModelConfig config) => part switch
    {
        "attn_q" => "self_attn.q_proj",
        "attn_k" => "self_attn.k_proj",
        "attn_v" => "self_attn.v_proj",
        "attn_qkv" => "self_attn.qkv_proj",
        "attn_output" => "self_attn.o_proj",
        "attn_q_norm" => "self_attn.q_norm",
        "attn_k_norm" => "self_attn.k_norm",
        "ffn_gate" => "mlp.gate_proj",
        "ffn_up" => config.FusedProjections ? "mlp.gate_up_proj" : "mlp.up_proj",
        "ffn_down" => "mlp.down_proj",
        "attn_norm" => "input_layernorm",
        "ffn_norm" => config.NormPlacement == NormPlacement.Before ? "post_attention_layernorm" : "pre_feedforward_layernorm",
        "post_attention_norm" => "post_attention_layernorm",
        "post_ffw_norm" => "post_feedforward_layernorm",
        _ => null,
    };
}
