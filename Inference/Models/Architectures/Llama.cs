using KvIL.Inference.Files;

namespace KvIL.Inference.Models.Architectures;

/// <summary>Llama 2 and 3: the plain case; attention and MLP may have biases.</summary>
/// <remarks>Touvron et al. 2023 (arXiv:2307.09288); Grattafiori et al. 2024 (arXiv:2407.21783).</remarks>
internal sealed class Llama : Architecture
{
    public override string Class => "LlamaForCausalLM";

    public override string ModelType => "llama";

    internal override ModelConfig Read(JsonValue root, ModelConfig config)
    {
        bool attention = root.Find("attention_bias")?.Boolean() ?? false;
        return config with
        {
            QkvBias = attention, OutputBias = attention, MlpBias = root.Find("mlp_bias")?.Boolean() ?? false,
        };
    }
}
