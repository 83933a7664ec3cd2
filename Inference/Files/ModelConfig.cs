namespace KvIL.Inference.Files;

/// <summary>The shape of a model, as <c>config.json</c> of a Hugging Face checkpoint describes it.</summary>
/// <remarks>Values are checked when the file is read; a config built by hand is not checked.</remarks>
public sealed record ModelConfig
{
    /// <summary>The class that the checkpoint names, such as <c>LlamaForCausalLM</c>.</summary>
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

    /// <summary>Positions the model was made for.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>What RMSNorm adds to the mean square.</summary>
    public required double RmsNormEps { get; init; }

    /// <summary>Base of the rotary frequencies.</summary>
    public required double RopeTheta { get; init; }

    /// <summary>Whether the output head is the embedding.</summary>
    public required bool TieWordEmbeddings { get; init; }

    /// <summary>Whether the four projections of attention have biases.</summary>
    public required bool AttentionBias { get; init; }

    /// <summary>Whether the three projections of the MLP have biases.</summary>
    public required bool MlpBias { get; init; }

    /// <summary>The token that starts a text, if the model has one.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>The tokens that end a text; may be empty.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    /// <summary>The type the weights were saved in, in PyTorch's spelling, if the file says so.</summary>
    public string? TorchDtype { get; init; }

    /// <summary>Reads a <c>config.json</c>.</summary>
    /// <remarks>
    /// Read today: <c>LlamaForCausalLM</c> with SiLU and unscaled rotary positions, in the old form
    /// (<c>rope_theta</c>, <c>rope_scaling</c>, <c>torch_dtype</c>) and in the new one (<c>rope_parameters</c>,
    /// <c>dtype</c>). Absent fields have the defaults of the architecture.
    /// </remarks>
    /// <exception cref="ModelFileException">The file cannot be read, or describes what KvIL does not run.</exception>
    public static ModelConfig Parse(string path) => ModelConfigReader.Read(path);
}
