using KvIL.Inference.Files;

namespace KvIL.Inference.Models.Architectures;

/// <summary>Qwen 3: a Llama that normalises each head of queries and keys before RoPE.</summary>
/// <remarks>Yang et al. 2025 (arXiv:2505.09388), §2. Windows as in Qwen 2; <c>attention_bias</c> is for all four projections.</remarks>
internal sealed class Qwen3 : Architecture
{
    public override string Class => "Qwen3ForCausalLM";

    public override string ModelType => "qwen3";

    internal override ConfigDefaults Defaults => new(KvHeads: 32, HeadDim: 128);

    public override ModelConfig Describe(ModelConfig llama) => llama with { QueryKeyNorm = QueryKeyNorm.PerHead };

    internal override ModelConfig Read(JsonValue root, ModelConfig config)
    {
        bool bias = root.Find("attention_bias")?.Boolean() ?? false;
        return config with { QkvBias = bias, OutputBias = bias, Layers = Qwen2.Windows(root, config) };
    }
}
