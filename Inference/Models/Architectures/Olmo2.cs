using KvIL.Inference.Files;

namespace KvIL.Inference.Models.Architectures;

/// <summary>OLMo 2: norms only after each block, and one norm over all heads of the queries, another over all of the keys.</summary>
/// <remarks>OLMo team 2025 (arXiv:2501.00656), §2.1.</remarks>
internal sealed class Olmo2 : Architecture
{
    public override string Class => "Olmo2ForCausalLM";

    public override string ModelType => "olmo2";

    internal override ConfigDefaults Defaults => new(Eps: 1e-5);

    public override ModelConfig Describe(ModelConfig llama) =>
        llama with { NormPlacement = NormPlacement.After, QueryKeyNorm = QueryKeyNorm.WholeProjection };

    internal override ModelConfig Read(JsonValue root, ModelConfig config)
    {
        bool bias = root.Find("attention_bias")?.Boolean() ?? false;
        return config with { QkvBias = bias, OutputBias = bias };
    }
}
