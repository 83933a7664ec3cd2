using KvIL.Inference.Files;
using KvIL.Sharing;

namespace KvIL.Inference.Models.Architectures;

/// <summary>Gemma 4, text, dense: two shapes of heads, layers that share keys and values, per-layer inputs, a factor for each layer.</summary>
/// <remarks>
/// As transformers' <c>modeling_gemma4</c> computes it. Of layers that see everything a head has <c>global_head_dim</c> channels, with
/// proportional RoPE; with <c>attention_k_eq_v</c> they have <c>num_global_key_value_heads</c>, and their values are their keys before norm and
/// RoPE. Queries, keys and values are normalised, and logits not scaled. The last <c>num_kv_shared_layers</c> layers read the last layer of
/// their kind below them, and with <c>use_double_wide_mlp</c> have an MLP twice as wide. Norms' weights are w.
/// </remarks>
internal sealed class Gemma4 : Architecture
{
    private const int Pattern = 6;

    public override string Class => "Gemma4ForCausalLM";

    public override string NestedClass => "Gemma4ForConditionalGeneration";

    public override string ModelType => "gemma4_text";

    internal override ConfigDefaults Defaults =>
        new(Tied: true, KvHeads: 4, HeadDim: 256, ActivationField: "hidden_activation", Activation: "gelu_pytorch_tanh");

    public override ModelConfig Describe(ModelConfig llama) => Sharing3nAnd4(llama) with { LayerScalar = true };

    internal override RopeConfig ReadRope(JsonValue root, int headDim, int positions)
    {
        RopeConfig? sliding = RopeConfigReader.ReadOfLayers(root, "sliding_attention", headDim, positions);
        RopeConfig? full = RopeConfigReader.ReadOfLayers(root, "full_attention", headDim, positions);
        return root.Find("rope_parameters") is { } parameters && (sliding ?? full) is null
            ? throw parameters.Error("expected an entry for 'full_attention' and one for 'sliding_attention'")
            : sliding ?? new(10000, headDim);
    }

    internal override ModelConfig Read(JsonValue root, ModelConfig config)
    {
        Refuse(root);
        Func<int, bool> slides = root.SlidingLayers(config.NumLayers) ?? (layer => (layer + 1) % Pattern != 0);
        bool Slides(int layer) => layer != config.NumLayers - 1 && slides(layer); // the class makes the last layer see everything
        bool bias = root.Find("attention_bias")?.Boolean() ?? false;
        int firstReader = config.NumLayers - (root.Find("num_kv_shared_layers")?.Integer(0, config.NumLayers - 1) ?? 0);
        bool doubles = root.Find("use_double_wide_mlp")?.Boolean() ?? false;
        LayerConfig full = Full(root, config);
        int? window = root.WindowOr(512);
        LayerConfig Layer(int layer) =>
            (Slides(layer) ? config.Layers[layer] with { Window = window } : full)
            with { IntermediateSize = doubles && layer >= firstReader ? Doubled(root, config) : null };
        return config with
        {
            QkvBias = bias,
            OutputBias = bias,
            LogitsSoftCap = root.CapOr("final_logit_softcapping", null),
            Layers = [.. Enumerable.Range(0, config.NumLayers).Select(Layer)],
            Sharing = ReadMap(root, config.NumLayers, firstReader, Slides),
            PerLayerInputs = ReadPerLayerInputs(root, config),
        };
    }

    /// <summary>What Gemma 3n and 4 have in common.</summary>
    internal static ModelConfig Sharing3nAnd4(ModelConfig llama) => Gemma2.Gemma(llama) with
    {
        NormWeightOffset = 0, QueryKeyNorm = QueryKeyNorm.PerHead, ValueNorm = true, AttentionScale = 1,
    };

    /// <summary>The map of Gemma 3n and 4; null where no layer shares.</summary>
    /// <exception cref="ModelFileException">A layer that shares finds no layer of its kind below.</exception>
    internal static SharingMap? ReadMap(JsonValue root, int layers, int firstReader, Func<int, bool> slides)
    {
        if (firstReader == layers)
        {
            return null;
        }

        bool[] kinds = [.. Enumerable.Range(0, layers).Select(slides)];
        return kinds[firstReader..].All(kinds[..firstReader].Contains)
            ? SharingMap.FromSharedTail(kinds, layers - firstReader)
            : throw root.Require("num_kv_shared_layers").Error(
                $"a layer from {firstReader} on shares, and below there is none of its kind in layer_types to share with");
    }

    private static void Refuse(JsonValue root)
    {
        if (root.Find("enable_moe_block") is { } moe && moe.Boolean())
        {
            throw moe.Error("mixtures of experts are not supported", "choose a dense model");
        }

        if (root.Find("use_bidirectional_attention") is { } both && both.String() != "vision")
        {
            throw both.Error("attention to later tokens is not supported", "choose a checkpoint that generates text");
        }
    }

    // A layer that sees everything.
    private static LayerConfig Full(JsonValue root, ModelConfig config)
    {
        int headDim = root.Has("global_head_dim") ? root.Find("global_head_dim")?.Integer(1, ModelConfigReader.MaxHeadDim) ?? config.HeadDim : 512;
        if (headDim % 2 != 0)
        {
            throw root.Require("global_head_dim").Expected("an even number");
        }

        bool keysAreValues = root.Find("attention_k_eq_v")?.Boolean() ?? false;
        int? heads = keysAreValues ? root.Find("num_global_key_value_heads")?.Integer(1, ModelConfigReader.MaxHeads) : null;
        if (heads is int some && config.NumQueryHeads % some != 0)
        {
            throw root.Require("num_global_key_value_heads").Expected($"a divisor of num_attention_heads ({config.NumQueryHeads})");
        }

        RopeConfig rope = RopeConfigReader.ReadOfLayers(root, "full_attention", headDim, config.MaxPositions, theta: 1e6)
            ?? new(1e6, headDim, new ProportionalScaling(0.25));
        return new(rope)
        {
            HeadDim = headDim == config.HeadDim ? null : headDim,
            NumKvHeads = heads == config.NumKvHeads ? null : heads,
            KeysAreValues = keysAreValues,
        };
    }

    private static int Doubled(JsonValue root, ModelConfig config) => config.IntermediateSize <= ModelConfigReader.MaxChannels / 2
        ? 2 * config.IntermediateSize
        : throw root.Require("intermediate_size").Expected($"at most {ModelConfigReader.MaxChannels / 2}, since some layers double it");

    private static PerLayerInputs? ReadPerLayerInputs(JsonValue root, ModelConfig config)
    {
        int width = root.Find("hidden_size_per_layer_input")?.Integer(0, ModelConfigReader.MaxHeadDim) ?? 256;
        int rows = root.Find("vocab_size_per_layer_input")?.Integer(1, ModelConfigReader.MaxVocabSize) ?? 262144;
        return width == 0 ? null : new(width, rows);
    }
}
