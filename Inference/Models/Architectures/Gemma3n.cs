using KvIL.Inference.Files;

namespace KvIL.Inference.Models.Architectures;

/// <summary>Gemma 3n, text: alternating updates of several streams, Laurel, per-layer inputs, sparse gates, shared keys and values.</summary>
/// <remarks>
/// Gemma team 2025, as transformers' <c>modeling_gemma3n</c> computes it. Windows and the two kinds of RoPE are those of Gemma 3, though norms'
/// weights are w; norms of queries, keys and values, unscaled logits and the map of shared layers are those of Gemma 4.
/// </remarks>
internal sealed class Gemma3n : Architecture
{
    private const int Pattern = 5;
    private const int MaxStreams = 64;

    public override string Class => "Gemma3nForCausalLM";

    public override string NestedClass => "Gemma3nForConditionalGeneration";

    public override string ModelType => "gemma3n_text";

    internal override ConfigDefaults Defaults =>
        new(Theta: 1e6, Tied: true, KvHeads: 2, HeadDim: 256, ActivationField: "hidden_activation", Activation: "gelu_pytorch_tanh");

    public override ModelConfig Describe(ModelConfig llama) => Gemma4.Sharing3nAnd4(llama);

    internal override int ReadIntermediateSize(JsonValue field) =>
        field.IsArray ? field.Items().Select(base.ReadIntermediateSize).DefaultIfEmpty(1).Max() : base.ReadIntermediateSize(field);

    internal override ModelConfig Read(JsonValue root, ModelConfig config)
    {
        int layers = config.NumLayers;
        Func<int, bool> slides = root.SlidingLayers(layers) ?? (layer => (layer + 1) % Pattern != 0);
        RopeConfig local = RopeConfigReader.ReadOfLayers(root, "sliding_attention", config.HeadDim, config.MaxPositions)
            ?? new(root.Find("rope_local_base_freq")?.Number(1, 1e12) ?? 10000, config.HeadDim);
        bool bias = root.Find("attention_bias")?.Boolean() ?? false;
        int shared = root.Has("num_kv_shared_layers") ? root.Find("num_kv_shared_layers")?.Integer(0, layers - 1) ?? 0 : Math.Min(15, layers - 1);
        double[] sparsity = ReadSparsity(root, layers);
        int[]? widths = ReadWidths(root, layers);
        LayerConfig Layer(LayerConfig layer, int i) => layer with
        {
            Rope = slides(i) ? local : layer.Rope, Sparsity = sparsity[i], IntermediateSize = widths?[i],
        };
        return config with
        {
            QkvBias = bias,
            OutputBias = bias,
            LogitsSoftCap = root.CapOr("final_logit_softcapping", 30),
            Layers = [.. Slide(config, root.WindowOr(512), slides).Select(Layer)],
            Sharing = Gemma4.ReadMap(root, layers, layers - shared, slides),
            PerLayerInputs = new(
                root.Find("hidden_size_per_layer_input")?.Integer(1, ModelConfigReader.MaxHeadDim) ?? 256,
                root.Find("vocab_size_per_layer_input")?.Integer(1, ModelConfigReader.MaxVocabSize) ?? 262144),
            AltUp = ReadAltUp(root),
        };
    }

    private static AltUp ReadAltUp(JsonValue root)
    {
        int streams = root.Find("altup_num_inputs")?.Integer(2, MaxStreams) ?? 4;
        return new(
            streams,
            root.Find("altup_active_idx")?.Integer(0, streams - 1) ?? 0,
            root.Has("altup_coef_clip") ? root.Find("altup_coef_clip")?.Number(0, 1e12) : 120,
            root.Find("altup_correct_scale")?.Boolean() ?? true,
            root.Find("laurel_rank")?.Integer(1, ModelConfigReader.MaxChannels) ?? 64);
    }

    // One number for all layers or one for each; where the file says nothing the first ten of more than ten are sparse.
    private static double[] ReadSparsity(JsonValue root, int layers)
    {
        const double Most = 0.999999;
        if (root.Find("activation_sparsity_pattern") is not { } field)
        {
            return [.. Enumerable.Range(0, layers).Select(layer => layers > 10 && layer < 10 ? 0.95 : 0)];
        }

        double[] shares = field.IsArray
            ? [.. field.Items().Select(share => share.Number(0, Most))]
            : [.. Enumerable.Repeat(field.Number(0, Most), layers)];
        return shares.Length == layers ? shares : throw field.Error($"expected {layers} entries, one a layer, got {shares.Length}");
    }

    private static int[]? ReadWidths(JsonValue root, int layers)
    {
        JsonValue field = root.Require("intermediate_size");
        if (!field.IsArray)
        {
            return null;
        }

        int[] widths = [.. field.Items().Select(width => width.Integer(1, ModelConfigReader.MaxChannels))];
        return widths.Length == layers ? widths : throw field.Error($"expected {layers} entries, one a layer, got {widths.Length}");
    }
}
