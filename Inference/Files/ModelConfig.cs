using KvIL.Sharing;

namespace KvIL.Inference.Files;

/// <summary>The shape of a model and all that its arithmetic depends on, whatever file described it.</summary>
/// <remarks>
/// A Llama is the plain case: every property that is not required has Llama's value. Values are checked when a file is read;
/// a config built by hand is not checked. Weights go by the names of Hugging Face checkpoints
/// (<c>model.layers.0.self_attn.q_proj.weight</c>), whatever the file calls them.
/// </remarks>
public sealed record ModelConfig
{
    private readonly double? _attentionScale;

    /// <summary>The class that computes the model, in Hugging Face's spelling, such as <c>LlamaForCausalLM</c>.</summary>
    public required string Architecture { get; init; }

    /// <summary>The family that the checkpoint names, such as <c>llama</c>.</summary>
    public required string ModelType { get; init; }

    /// <summary>Channels of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Channels inside the MLP.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Number of transformer layers.</summary>
    public required int NumLayers { get; init; }

    /// <summary>Query heads of a layer.</summary>
    public required int NumQueryHeads { get; init; }

    /// <summary>Key and value heads of a layer; divides <see cref="NumQueryHeads"/>.</summary>
    public required int NumKvHeads { get; init; }

    /// <summary>Channels of one head; even. Its product with the heads need not be <see cref="HiddenSize"/>.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Rows of the embedding.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Positions the model was made for, scaling of its positions included.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>What RMSNorm adds to the mean square.</summary>
    public required double RmsNormEps { get; init; }

    /// <summary>What may differ from layer to layer; <see cref="NumLayers"/> of them.</summary>
    public required IReadOnlyList<LayerConfig> Layers { get; init; }

    /// <summary>Which layer reads whose keys and values, as the checkpoint says; null for each its own.</summary>
    public SharingMap? Sharing { get; init; }

    /// <summary>Whether every layer sees only keys strictly before its token (<c>force_nodiag</c> of LCKV), not only layers that read above.</summary>
    public bool StrictlyPast { get; init; }

    /// <summary>Passes over the cyclic slices of <see cref="Sharing"/> that the checkpoint was trained with, m + b; null where it does not say.</summary>
    public int? TrainedPasses { get; init; }

    /// <summary>Whether the output head is the embedding.</summary>
    public required bool TieWordEmbeddings { get; init; }

    /// <summary>Whether the projections of queries, keys and values have biases.</summary>
    public bool QkvBias { get; init; }

    /// <summary>Whether attention's output projection has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Whether the three projections of the MLP have biases.</summary>
    public bool MlpBias { get; init; }

    /// <summary>
    /// Whether one tensor <c>qkv_proj</c> holds the rows of queries, keys and values, in this order, and one tensor
    /// <c>gate_up_proj</c> those of gate and up.
    /// </summary>
    public bool FusedProjections { get; init; }

    /// <summary>In which order the rows of the query and key projections stand within a head.</summary>
    public RopePairing RopePairing { get; init; }

    /// <summary>Where a block normalises.</summary>
    public NormPlacement NormPlacement { get; init; }

    /// <summary>What is added to the stored weight of every RMSNorm: 1 where a checkpoint stores w and means 1 + w.</summary>
    public double NormWeightOffset { get; init; }

    /// <summary>How queries and keys are normalised, before RoPE unless <see cref="NormAfterRope"/>.</summary>
    public QueryKeyNorm QueryKeyNorm { get; init; }

    /// <summary>Whether each head of the values is normalised, without a weight.</summary>
    public bool ValueNorm { get; init; }

    /// <summary>Whether each layer's result is multiplied by a number of its own, <c>layer_scalar</c>.</summary>
    public bool LayerScalar { get; init; }

    /// <summary>What every layer gets of each token beside the residual stream; null for nothing.</summary>
    public PerLayerInputs? PerLayerInputs { get; init; }

    /// <summary>The streams that stand in for the one residual stream; null for that one.</summary>
    public AltUp? AltUp { get; init; }

    /// <summary>What the file's names of the language model's weights start with, where others have <c>model.</c></summary>
    internal string WeightPrefix { get; init; } = "model.";

    /// <summary>Whether queries and keys are rotated first and normalised then; their norms are <c>query_layernorm</c> and <c>key_layernorm</c> in that case.</summary>
    public bool NormAfterRope { get; init; }

    /// <summary>The gate's activation in the MLP.</summary>
    public Activation Activation { get; init; }

    /// <summary>Factor of the attention logits; 1/√<see cref="HeadDim"/> unless set.</summary>
    public double AttentionScale
    {
        get => _attentionScale ?? (1 / Math.Sqrt(HeadDim));
        init => _attentionScale = value;
    }

    /// <summary>Factor of the embedding of a token.</summary>
    public double EmbeddingScale { get; init; } = 1;

    /// <summary>Factor of what each of a layer's two blocks adds to the residual stream.</summary>
    public double ResidualMultiplier { get; init; } = 1;

    /// <summary>Divisor of the logits.</summary>
    public double LogitsDivisor { get; init; } = 1;

    /// <summary>Soft cap c of the attention logits, <c>c · tanh(s / c)</c>; null for none.</summary>
    public double? AttentionSoftCap { get; init; }

    /// <summary>Soft cap c of the final logits, <c>c · tanh(s / c)</c>, after the division; null for none.</summary>
    public double? LogitsSoftCap { get; init; }

    /// <summary>The token that starts a text, if the model has one.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>The tokens that end a text; may be empty.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    /// <summary>The type the weights were saved in, in PyTorch's spelling, if the file says so.</summary>
    public string? TorchDtype { get; init; }

    /// <summary>Channels of one head of <paramref name="layer"/>.</summary>
    public int HeadDimOf(int layer) => Layers[layer].HeadDim ?? HeadDim;

    /// <summary>Key and value heads of <paramref name="layer"/>.</summary>
    public int NumKvHeadsOf(int layer) => Layers[layer].NumKvHeads ?? NumKvHeads;

    /// <summary>Channels of all query heads of <paramref name="layer"/>.</summary>
    public int QueryWidthOf(int layer) => NumQueryHeads * HeadDimOf(layer);

    /// <summary>Channels of all key heads, or value heads, of <paramref name="layer"/>.</summary>
    public int KvWidthOf(int layer) => NumKvHeadsOf(layer) * HeadDimOf(layer);

    /// <summary>Channels inside the MLP of <paramref name="layer"/>.</summary>
    public int IntermediateSizeOf(int layer) => Layers[layer].IntermediateSize ?? IntermediateSize;

    /// <summary>Reads a <c>config.json</c>.</summary>
    /// <remarks>
    /// In the old form (<c>rope_theta</c>, <c>rope_scaling</c>, <c>torch_dtype</c>) and in the new one
    /// (<c>rope_parameters</c>, <c>layer_types</c>, <c>dtype</c>). Absent fields have the defaults of the architecture.
    /// </remarks>
    /// <exception cref="ModelFileException">The file cannot be read, or describes what KvIL does not run.</exception>
    public static ModelConfig Parse(string path) => ModelConfigReader.Read(path);
}

/// <summary>What may differ from layer to layer.</summary>
/// <param name="Rope">Rotary positions; null for a layer without positions (NoPE). Layers that rotate alike share one object.</param>
/// <param name="Window">
/// Sliding window W: a token at position i sees the rows of positions j with i − W &lt; j ≤ i; null for all up to i.
/// </param>
public sealed record LayerConfig(RopeConfig? Rope, int? Window = null)
{
    /// <summary>Channels of one head, where the layer has others than the model.</summary>
    public int? HeadDim { get; init; }

    /// <summary>Key and value heads, where the layer has others than the model.</summary>
    public int? NumKvHeads { get; init; }

    /// <summary>Channels inside the MLP, where the layer has others than the model.</summary>
    public int? IntermediateSize { get; init; }

    /// <summary>Whether values are what keys are before their norm and RoPE, so that there is no projection of values.</summary>
    public bool KeysAreValues { get; init; }

    /// <summary>The share of the gate's channels that become 0 where they are normally distributed; 0 for all channels as they are.</summary>
    public double Sparsity { get; init; }
}

/// <summary>Where a block (attention or MLP) normalises.</summary>
public enum NormPlacement
{
    /// <summary>Before each block: <c>input_layernorm</c>, <c>post_attention_layernorm</c>.</summary>
    Before,

    /// <summary>After each block, before its sum: <c>post_attention_layernorm</c>, <c>post_feedforward_layernorm</c>.</summary>
    After,

    /// <summary>
    /// Both: <c>input_layernorm</c>, <c>post_attention_layernorm</c>, <c>pre_feedforward_layernorm</c>,
    /// <c>post_feedforward_layernorm</c>.
    /// </summary>
    Both,
}

/// <summary>How queries and keys are normalised, by <c>q_norm</c> and <c>k_norm</c>.</summary>
public enum QueryKeyNorm
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Each head by itself, with one weight <c>[head_dim]</c>.</summary>
    PerHead,

    /// <summary>All heads of the projection together, with a weight <c>[heads · head_dim]</c>.</summary>
    WholeProjection,
}

/// <summary>Activation of the MLP's gate.</summary>
public enum Activation
{
    /// <summary><c>x / (1 + exp(−x))</c>.</summary>
    Silu,

    /// <summary><c>x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))</c>.</summary>
    GeluTanh,
}

/// <summary>Which channels of a head RoPE pairs, as the rows of the stored projections stand.</summary>
public enum RopePairing
{
    /// <summary>(f, F + f), as Hugging Face stores them. Cached keys always stand so.</summary>
    HalfSplit,

    /// <summary>(2f, 2f + 1), as llama2.c and GGUF files of architecture <c>llama</c> store them.</summary>
    Interleaved,
}
