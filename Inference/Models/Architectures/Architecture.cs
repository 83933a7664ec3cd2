using KvIL.Inference.Files;

namespace KvIL.Inference.Models.Architectures;

/// <summary>What distinguishes a family of models from Llama: facts that its class fixes, and what its <c>config.json</c> says.</summary>
/// <remarks>The arithmetic itself stands once, in <see cref="Transformer"/>; a new family is one more file in this folder.</remarks>
public abstract class Architecture
{
    /// <summary>The class in Hugging Face's spelling, such as <c>LlamaForCausalLM</c>.</summary>
    public abstract string Class { get; }

    /// <summary>The class of checkpoints that hold this one among other parts, such as a vision tower, with its config under <c>text_config</c>; null for none.</summary>
    /// <remarks>Only the language model is read of them.</remarks>
    public virtual string? NestedClass => null;

    /// <summary>The family's short name, <c>model_type</c> in <c>config.json</c>; also the architecture's name in GGUF.</summary>
    public abstract string ModelType { get; }

    /// <summary>What <c>config.json</c> may leave out.</summary>
    internal virtual ConfigDefaults Defaults => new();

    /// <summary>A Llama of the same sizes, changed by what the class fixes and no file states.</summary>
    public virtual ModelConfig Describe(ModelConfig llama) => llama;

    /// <summary>The rotation of a layer, before <see cref="Read"/> gives some layers another.</summary>
    internal virtual RopeConfig ReadRope(JsonValue root, int headDim, int positions) =>
        RopeConfigReader.Read(root, Defaults, headDim, positions);

    /// <summary><c>intermediate_size</c>, before <see cref="Read"/> gives some layers another.</summary>
    internal virtual int ReadIntermediateSize(JsonValue field) => field.Integer(1, ModelConfigReader.MaxChannels);

    /// <summary>The described config, completed by what only this family's <c>config.json</c> says.</summary>
    internal virtual ModelConfig Read(JsonValue root, ModelConfig config) => config;

    /// <summary>Every layer as it is, with a window where <paramref name="slides"/> says so.</summary>
    private protected static IReadOnlyList<LayerConfig> Slide(ModelConfig config, int? window, Func<int, bool> slides) =>
        [.. config.Layers.Select((layer, i) => slides(i) ? layer with { Window = window } : layer)];
}

/// <summary>Values of fields that a <c>config.json</c> may leave out.</summary>
/// <param name="Theta"><c>rope_theta</c>.</param>
/// <param name="Eps"><c>rms_norm_eps</c>.</param>
/// <param name="Tied"><c>tie_word_embeddings</c>.</param>
/// <param name="KvHeads"><c>num_key_value_heads</c>; null for as many as query heads.</param>
/// <param name="HeadDim"><c>head_dim</c>; null for the width over the query heads.</param>
/// <param name="ActivationField">The field that names the activation.</param>
/// <param name="Activation">Its value.</param>
/// <param name="PartialRotation">Whether <c>partial_rotary_factor</c> may be below 1.</param>
/// <param name="AlphaScaling">Whether dynamic rotary positions may have a fixed <c>alpha</c>.</param>
internal sealed record ConfigDefaults(
    double Theta = 10000, double Eps = 1e-6, bool Tied = false, int? KvHeads = null, int? HeadDim = null,
    string ActivationField = "hidden_act", string Activation = "silu", bool PartialRotation = false,
    bool AlphaScaling = false);
