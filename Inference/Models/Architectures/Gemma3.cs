using KvIL.Inference.Files;

namespace KvIL.Inference.Models.Architectures;

/// <summary>Gemma 3, text: Gemma 2 with norms of query and key heads instead of attention's soft cap, and two kinds of RoPE.</summary>
/// <remarks>
/// Gemma team 2025 (arXiv:2503.19786), §2. Of every <c>sliding_window_pattern</c> layers the last sees everything and has the base
/// <c>rope_theta</c> with its scaling; the others slide and have <c>rope_local_base_freq</c>. The norms' weights are 1 + w too.
/// </remarks>
internal sealed class Gemma3 : Architecture
{
    public override string Class => "Gemma3ForCausalLM";

    public override string ModelType => "gemma3";

    internal override ConfigDefaults Defaults =>
        new(Theta: 1e6, Tied: true, KvHeads: 4, HeadDim: 256, ActivationField: "hidden_activation", Activation: "gelu_pytorch_tanh");

    public override ModelConfig Describe(ModelConfig llama) =>
        Gemma2.Gemma(llama) with { QueryKeyNorm = QueryKeyNorm.PerHead };

    internal override ModelConfig Read(JsonValue root, ModelConfig config)
    {
        if (root.Find("attn_logit_softcapping") is { } cap)
        {
            throw cap.Error("Gemma 3 has no soft cap of attention", "choose another checkpoint");
        }

        int pattern = root.Find("sliding_window_pattern")?.Integer(1, int.MaxValue) ?? 6;
        Func<int, bool> slides = root.SlidingLayers(config.NumLayers) ?? (layer => (layer + 1) % pattern != 0);
        RopeConfig local = RopeConfigReader.ReadOfLayers(root, "sliding_attention", config.HeadDim, config.MaxPositions)
            ?? new(root.Find("rope_local_base_freq")?.Number(1, 1e12) ?? 10000, config.HeadDim);
        config = Gemma2.ReadGemma(root, config);
        return config with
        {
            LogitsSoftCap = root.CapOr("final_logit_softcapping", null),
            Layers = [.. Slide(config, root.WindowOr(4096), slides).Select((layer, i) => slides(i) ? layer with { Rope = local } : layer)],
        };
    }
}
