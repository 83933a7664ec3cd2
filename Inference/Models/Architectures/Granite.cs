using KvIL.Inference.Files;

namespace KvIL.Inference.Models.Architectures;

/// <summary>Granite 3: a Llama with factors on embeddings, attention logits and residual sums, and a divisor of the logits.</summary>
/// <remarks>
/// Granite team 2024, "Granite 3.0 language models", §2, after Yang et al. 2022 (arXiv:2203.03466).
/// <c>attention_multiplier</c> stands for 1/√d; all four are 1 where absent.
/// </remarks>
internal sealed class Granite : Architecture
{
    public override string Class => "GraniteForCausalLM";

    public override string ModelType => "granite";

    internal override ModelConfig Read(JsonValue root, ModelConfig config)
    {
        double Factor(string name) => root.Find(name)?.Number(1e-12, 1e12) ?? 1;
        bool bias = root.Find("attention_bias")?.Boolean() ?? false;
        return config with
        {
            QkvBias = bias,
            OutputBias = bias,
            MlpBias = root.Find("mlp_bias")?.Boolean() ?? false,
            EmbeddingScale = Factor("embedding_multiplier"),
            AttentionScale = Factor("attention_multiplier"),
            ResidualMultiplier = Factor("residual_multiplier"),
            LogitsDivisor = Factor("logits_scaling"),
        };
    }
}
