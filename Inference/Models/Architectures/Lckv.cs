using KvIL.Inference.Files;
using KvIL.Sharing;

namespace KvIL.Inference.Models.Architectures;

/// <summary>Layer-condensed models: a Llama whose layers read the keys and values of others, and whose non-owners have no projections of them.</summary>
/// <remarks>
/// Wu and Tu 2025 (arXiv:2410.14442), §2, in the published code's <c>config.json</c>. <c>layer_types</c> is a text
/// (<see cref="LayerTypes"/>); layers marked <c>s</c> see <c>sliding_window</c> keys, their own included, where that field is absent 4,096.
/// A layer that reads above, and with <c>force_nodiag</c> every layer, sees only keys strictly before its token.
/// <c>forward_passes</c> and <c>backward_passes</c> are how the checkpoint was trained; <c>use_sequential</c> changes no result.
/// </remarks>
internal sealed class Lckv : Architecture
{
    public const string ClassName = "LCKVLlamaForCausalLM";

    public override string Class => ClassName;

    public override string ModelType => "lckv-llama";

    internal override ModelConfig Read(JsonValue root, ModelConfig config)
    {
        bool attention = root.Find("attention_bias")?.Boolean() ?? false;
        LayerTypes types = ReadLayerTypes(root, config.NumLayers);
        int forward = root.Find("forward_passes")?.Integer(0, 1 << 20) ?? 7;
        int backward = root.Find("backward_passes")?.Integer(0, 1 << 20) ?? 2;
        return config with
        {
            QkvBias = attention,
            OutputBias = attention,
            MlpBias = root.Find("mlp_bias")?.Boolean() ?? false,
            Sharing = types.Map,
            StrictlyPast = root.Find("force_nodiag")?.Boolean() ?? false,
            TrainedPasses = forward + Math.Max(backward, 1),
            Layers = types.Slides ? Slide(config, root.WindowOr(4096), layer => types.Sliding[layer]) : config.Layers,
        };
    }

    private static LayerTypes ReadLayerTypes(JsonValue root, int layers)
    {
        if (root.Find("layer_types") is not { } field)
        {
            return LayerTypes.Of(SharingMap.Identity(layers));
        }

        try
        {
            LayerTypes types = LayerTypes.Parse(field.String(), allowsNonIdempotent: true);
            return types.Map.NumLayers == layers
                ? types
                : throw field.Error($"expected {layers} tokens, one a layer, got {types.Map.NumLayers}");
        }
        catch (FormatException e)
        {
            throw field.Error(e.Message.TrimEnd('.'));
        }
    }
}
