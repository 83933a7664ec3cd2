using KvIL.Inference.Files;

namespace KvIL.Inference.Models.Architectures;

/// <summary>Qwen 2 and 2.5: a Llama with biases on queries, keys and values; upper layers may have a sliding window.</summary>
/// <remarks>Yang et al. 2024 (arXiv:2407.10671), §2.2. Layers from <c>max_window_layers</c> on slide, if <c>use_sliding_window</c>.</remarks>
internal sealed class Qwen2 : Architecture
{
    public override string Class => "Qwen2ForCausalLM";

    public override string ModelType => "qwen2";

    internal override ConfigDefaults Defaults => new(KvHeads: 32);

    public override ModelConfig Describe(ModelConfig llama) => llama with { QkvBias = true };

    internal override ModelConfig Read(JsonValue root, ModelConfig config) => config with { Layers = Windows(root, config) };

    /// <summary>The layers of Qwen 2 and 3, with their windows.</summary>
    internal static IReadOnlyList<LayerConfig> Windows(JsonValue root, ModelConfig config)
    {
        bool slides = root.Find("use_sliding_window")?.Boolean() ?? false;
        int first = root.Find("max_window_layers")?.Integer(0, int.MaxValue) ?? 28;
        return Slide(config, slides ? root.WindowOr(4096) : null, root.SlidingLayers(config.NumLayers) ?? (layer => layer >= first));
    }
}
