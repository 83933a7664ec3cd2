using KvIL.Inference.Files;

namespace KvIL.Inference.Models.Architectures;

/// <summary>SmolLM3: a Llama without positions in every fourth layer (NoPE).</summary>
/// <remarks>
/// Yang et al. 2025 (arXiv:2501.18795), RNoPE. In <c>no_rope_layers</c> 1 means that RoPE is used; without that field
/// the last of every <c>no_rope_layer_interval</c> layers has none.
/// </remarks>
internal sealed class SmolLm3 : Architecture
{
    public override string Class => "SmolLM3ForCausalLM";

    public override string ModelType => "smollm3";

    internal override ConfigDefaults Defaults => new(Theta: 2e6, Tied: true, KvHeads: 4);

    internal override ModelConfig Read(JsonValue root, ModelConfig config)
    {
        bool bias = root.Find("attention_bias")?.Boolean() ?? false;
        bool slides = root.Find("use_sliding_window")?.Boolean() ?? false;
        bool[] rotates = Rotates(root, config.NumLayers);

        // Where layer_types is absent, only layers without positions slide, as the class has it.
        Func<int, bool> sliding = root.SlidingLayers(config.NumLayers) ?? (layer => !rotates[layer]);
        IReadOnlyList<LayerConfig> layers = Slide(config, slides ? root.WindowOr(null) : null, sliding);
        return config with
        {
            QkvBias = bias,
            OutputBias = bias,
            MlpBias = root.Find("mlp_bias")?.Boolean() ?? false,
            Layers = [.. layers.Select((layer, i) => rotates[i] ? layer : layer with { Rope = null })],
        };
    }

    private static bool[] Rotates(JsonValue root, int layers)
    {
        int interval = root.Find("no_rope_layer_interval")?.Integer(1, int.MaxValue) ?? 4;
        if (root.Find("no_rope_layers") is not { } flags)
        {
            return [.. Enumerable.Range(0, layers).Select(layer => (layer + 1) % interval != 0)];
        }

        bool[] rotates = [.. flags.Items().Select(flag => flag.Integer(0, 1) == 1)];
        return rotates.Length == layers ? rotates : throw flags.Error($"expected {layers} entries, one a layer, got {rotates.Length}");
    }
}
