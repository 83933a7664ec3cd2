namespace KvIL.Inference.Files.Synthesis;

/// <summary>Sizes of a model whose weights are made up: those of a published one, or small ones.</summary>
/// <param name="Name">How it is chosen.</param>
/// <param name="Architecture">GGUF's <c>general.architecture</c>.</param>
/// <param name="HiddenSize">Channels of the residual stream.</param>
/// <param name="IntermediateSize">Channels inside the MLP.</param>
/// <param name="Layers">Transformer layers.</param>
/// <param name="QueryHeads">Query heads.</param>
/// <param name="KvHeads">Key and value heads.</param>
/// <param name="HeadDim">Channels of a head.</param>
/// <param name="Vocabulary">Tokens; at least 512.</param>
/// <param name="Positions">Context length.</param>
/// <param name="Theta">Base of RoPE.</param>
/// <param name="Epsilon">What RMSNorm adds.</param>
/// <param name="PreTokenizer">GGUF's <c>tokenizer.ggml.pre</c>.</param>
public sealed record SyntheticShape(
    string Name, string Architecture, int HiddenSize, int IntermediateSize, int Layers, int QueryHeads, int KvHeads, int HeadDim,
    int Vocabulary, int Positions, double Theta, double Epsilon, string PreTokenizer)
{
    /// <summary>Factor of Llama 3's scaling of positions; null for none.</summary>
    public double? RopeFactor { get; init; }

    /// <summary>Whether queries, keys and values have biases.</summary>
    public bool QkvBias => Architecture == "qwen2";

    /// <summary>Whether each head of queries and keys is normalised.</summary>
    public bool QueryKeyNorm => Architecture == "qwen3";

    /// <summary>All shapes; each has the embedding as its output head.</summary>
    public static IReadOnlyList<SyntheticShape> All { get; } =
    [
        new("tiny", "llama", 64, 192, 2, 4, 2, 16, 512, 512, 10000, 1e-5, "smollm"),
        new("smollm2-135m", "llama", 576, 1536, 30, 9, 3, 64, 49152, 8192, 100_000, 1e-5, "smollm"),
        new("tinyllama-1.1b", "llama", 2048, 5632, 22, 32, 4, 64, 32000, 2048, 10000, 1e-5, "smollm"),
        new("qwen2.5-0.5b", "qwen2", 896, 4864, 24, 14, 2, 64, 151_936, 32768, 1e6, 1e-6, "qwen2"),
        new("qwen3-0.6b", "qwen3", 1024, 3072, 28, 16, 8, 128, 151_936, 40960, 1e6, 1e-6, "qwen2"),
        new("llama-3.2-1b", "llama", 2048, 8192, 16, 32, 8, 64, 128_256, 131_072, 500_000, 1e-5, "llama-bpe") { RopeFactor = 32 },
        new("llama-3.2-3b", "llama", 3072, 8192, 28, 24, 8, 128, 128_256, 131_072, 500_000, 1e-5, "llama-bpe") { RopeFactor = 32 },
    ];

    /// <summary>The shape of that name; null where there is none.</summary>
    public static SyntheticShape? Find(string name) => All.FirstOrDefault(shape => shape.Name == name);
}
