using KvIL.Inference.Files;

namespace KvIL.Inference.Models.Architectures;

/// <summary>Mistral: a Llama with a sliding window in every layer, unless the window is null.</summary>
/// <remarks>Jiang et al. 2023 (arXiv:2310.06825), §2. The window is 4,096 where the field is absent.</remarks>
internal sealed class Mistral : Architecture
{
    public override string Class => "MistralForCausalLM";

    public override string ModelType => "mistral";

    internal override ConfigDefaults Defaults => new(KvHeads: 8);

    internal override ModelConfig Read(JsonValue root, ModelConfig config) =>
        config with { Layers = Slide(config, root.WindowOr(4096), _ => true) };
}
