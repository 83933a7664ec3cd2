using KvIL.Tensors;

namespace KvIL.Inference.Files;

/// <summary>A model's files, opened: its configuration and its weights, whatever format they are in.</summary>
/// <remarks>
/// A directory with <c>config.json</c> and weights in safetensors form, a GGUF file (recognised by its content), a directory
/// with one GGUF file and no <c>config.json</c>, or a file of llama2.c. Weights are mapped, not read, and go by the names of
/// Hugging Face checkpoints (<c>model.layers.0.self_attn.q_proj.weight</c>).
/// </remarks>
public sealed class Checkpoint : IDisposable
{
    private readonly ModelSource _source;

    private Checkpoint(ModelSource source)
    {
        _source = source;
        WeightBytes = source.Tensors.Values.Sum(tensor => tensor.Data.LengthBytes);
    }

    /// <summary>What was opened; where <see cref="Open(string)"/> was given a directory that holds one GGUF file, that file.</summary>
    public string Path => _source.Path;

    /// <summary>The format: <c>safetensors</c>, <c>gguf v3</c>, <c>llama2.c v0</c>.</summary>
    public string Format => _source.Format;

    /// <summary>The model's shape; end tokens of <c>generation_config.json</c> replace those of <c>config.json</c>.</summary>
    public ModelConfig Config => _source.Config;

    /// <summary>The weights by name.</summary>
    public IReadOnlyDictionary<string, FileTensor> Tensors => _source.Tensors;

    /// <summary>The metadata of a GGUF file; null for another format.</summary>
    public GgufMetadata? Metadata => _source.Metadata;

    /// <summary>Bytes of all tensors together.</summary>
    public long WeightBytes { get; }

    /// <summary>
    /// The file that holds the tokenizer: <c>tokenizer.json</c>, the GGUF file itself, or llama2.c's <c>tokenizer.bin</c>;
    /// null where there is none.
    /// </summary>
    public string? TokenizerPath => _source.TokenizerPath;

    /// <summary>The text of the model's chat template; null where it has none.</summary>
    /// <exception cref="ModelFileException">The file that holds it is damaged.</exception>
    public ChatTemplateText? ReadChatTemplate() => Metadata is { } metadata ? ChatTemplateFiles.InGguf(metadata, Path)
        : Directory.Exists(Path) ? ChatTemplateFiles.InDirectory(Path)
        : null;

    /// <summary>Opens the model at <paramref name="path"/>.</summary>
    /// <exception cref="ModelFileException">It is missing, damaged or not supported.</exception>
    public static Checkpoint Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new(ModelSource.Open(path));
    }

    /// <summary>Opens weights in one safetensors file under a config that comes from elsewhere: several models may stand on one file.</summary>
    /// <param name="config">The model's shape; weights that it does not need are ignored.</param>
    /// <param name="weights">The file.</param>
    /// <exception cref="ModelFileException">The file is missing or damaged.</exception>
    public static Checkpoint Open(ModelConfig config, string weights)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentException.ThrowIfNullOrEmpty(weights);
        SafeTensorsFile file = SafeTensorsFile.Open(weights);
        return new(new(weights, "safetensors", "the config", config, file.Tensors, null, [file]));
    }

    /// <summary>The tensor of that name and shape, of any type that KvIL computes with.</summary>
    /// <exception cref="ModelFileException">It is missing, or its type or shape is another.</exception>
    public FileTensor Require(string name, params long[] shape)
    {
        if (!Tensors.TryGetValue(name, out FileTensor? tensor))
        {
            string stored = name.StartsWith("model.", StringComparison.Ordinal) ? Config.WeightPrefix + name["model.".Length..] : name;
            throw new ModelFileException(
                $"{Path}: the tensor {ModelFileException.Quote(stored)} {Shapes.Show(shape)} is missing; "
                + $"{_source.Described} and the weights do not belong together, or the download is incomplete.");
        }

        if (!tensor.Shape.SequenceEqual(shape))
        {
            throw Unfit(tensor, $"{tensor.StoredType} {Shapes.Show(shape)}", $"{_source.Described} and the weights do not belong together");
        }

        return tensor.Type is not null
            ? tensor
            : throw Unfit(tensor, string.Join(", ", Enum.GetNames<DType>()), "convert the model to one of these types");
    }

    /// <summary>Closes the files; the data of every tensor becomes invalid.</summary>
    public void Dispose()
    {
        foreach (IDisposable file in _source.Files)
        {
            file.Dispose();
        }
    }

    private static ModelFileException Unfit(FileTensor tensor, string expected, string advice) =>
        new($"{tensor.Path}: tensor {ModelFileException.Quote(tensor.Name)} at byte offset {tensor.FileOffset}: expected {expected}, "
            + $"got {tensor.StoredType} {Shapes.Show([.. tensor.Shape])}; {advice}.");
}
