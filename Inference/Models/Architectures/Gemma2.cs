using KvIL.Inference.Files;

namespace KvIL.Inference.Models.Architectures;

/// <summary>Gemma 2: norms before and after each block with weights 1 + w, GELU, soft caps, a window in every other layer.</summary>
/// <remarks>
/// Gemma team 2024 (arXiv:2408.00118), §2. Embeddings are multiplied by √hidden; attention logits by
/// <c>query_pre_attn_scalar</c>^−½. Layers 0, 2, 4, ... slide. GGUF files store the norms' 1 + w.
/// </remarks>
internal sealed class Gemma2 : Architecture
{
    public override string Class => "Gemma2ForCausalLM";

    public override string ModelType => "gemma2";

    internal override ConfigDefaults Defaults =>
        new(Tied: true, KvHeads: 4, HeadDim: 256, ActivationField: "hidden_activation", Activation: "gelu_pytorch_tanh");

    public override ModelConfig Describe(ModelConfig llama) => Gemma(llama);

    internal override ModelConfig Read(JsonValue root, ModelConfig config)
    {
        config = ReadGemma(root, config);
        return config with
        {
            AttentionSoftCap = root.CapOr("attn_logit_softcapping", 50),
            LogitsSoftCap = root.CapOr("final_logit_softcapping", 30),
            Layers = Slide(config, root.WindowOr(4096), root.SlidingLayers(config.NumLayers) ?? (layer => layer % 2 == 0)),
        };
    }

    /// <summary>What Gemma 2 and 3 have in common.</summary>
    internal static ModelConfig Gemma(ModelConfig llama) => llama with
    {
        NormPlacement = NormPlacement.Both,
        NormWeightOffset = 1,
        Activation = Activation.GeluTanh,
        EmbeddingScale = Math.Sqrt(llama.HiddenSize),
    };

    /// <summary>Fields that Gemma 2 and 3 have in common.</summary>
    internal static ModelConfig ReadGemma(JsonValue root, ModelConfig config)
    {
        if (root.Find("use_bidirectional_attention") is { } both && both.Boolean())
        {
            throw both.Error("attention to later tokens is not supported", "choose a checkpoint that generates text");
        }

        bool bias = root.Find("attention_bias")?.Boolean() ?? false;
        double scalar = root.Find("query_pre_attn_scalar")?.Number(1e-6, 1e12) ?? 256;
        return config with { QkvBias = bias, OutputBias = bias, AttentionScale = 1 / Math.Sqrt(scalar) };
    }
}
