using KvIL.Inference.Files;

namespace KvIL.Inference.Models.Architectures;

/// <summary>Phi-3, 3.5 and 4: a Llama whose projections are stored fused; a window in every layer, LongRoPE, partial rotation.</summary>
/// <remarks>Abdin et al. 2024 (arXiv:2404.14219), §2. Rows of <c>qkv_proj</c>: queries, keys, values; of <c>gate_up_proj</c>: gate, up.</remarks>
internal sealed class Phi3 : Architecture
{
    public override string Class => "Phi3ForCausalLM";

    public override string ModelType => "phi3";

    internal override ConfigDefaults Defaults => new(Eps: 1e-5, PartialRotation: true);

    public override ModelConfig Describe(ModelConfig llama) => llama with { FusedProjections = true };

    internal override ModelConfig Read(JsonValue root, ModelConfig config) =>
        config with { Layers = Slide(config, root.WindowOr(null), _ => true) };
}
