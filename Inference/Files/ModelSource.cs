namespace KvIL.Inference.Files;

/// <summary>A model as one of the formats stores it, open.</summary>
/// <param name="Path">What was opened.</param>
/// <param name="Format">The format, such as <c>gguf v3</c>.</param>
/// <param name="Described">What the shape was read from, for messages: <c>config.json</c>, <c>the metadata</c>.</param>
/// <param name="Config">The model's shape.</param>
/// <param name="Tensors">The weights by their Hugging Face names.</param>
/// <param name="TokenizerPath">The file that holds the tokenizer; null for none.</param>
/// <param name="Files">What is to be closed.</param>
internal sealed record ModelSource(
    string Path, string Format, string Described, ModelConfig Config, IReadOnlyDictionary<string, FileTensor> Tensors,
    string? TokenizerPath, IReadOnlyList<IDisposable> Files)
{
    /// <summary>The metadata of a GGUF file; null for another format.</summary>
    public GgufMetadata? Metadata { get; init; }

    /// <summary>Opens what stands at a path: a directory, a GGUF file or a llama2.c file.</summary>
    /// <exception cref="ModelFileException">It is none of these, or damaged, or not supported.</exception>
    public static ModelSource Open(string path)
    {
        if (Directory.Exists(path))
        {
            return GgufIn(path) is { } file ? GgufModel.Open(file) : SafeTensorsDirectory.Open(path);
        }

        if (!File.Exists(path))
        {
            throw new ModelFileException(
                $"{path}: there is no such file or directory; name a directory that holds config.json and model.safetensors, "
                + "a GGUF file, or a llama2.c file.");
        }

        if (GgufFile.HasMagic(path))
        {
            return GgufModel.Open(path);
        }

        return Llama2CFile.Recognises(path)
            ? Llama2CModel.Open(path)
            : throw new ModelFileException(
                $"{path}: the file is neither a GGUF file nor a llama2.c file of any version; name one of them, or the directory "
                + "that holds config.json and the weights in safetensors form.");
    }

    /// <summary>The model in GGUF form, whole or in parts, that a directory without a config.json holds; null for none.</summary>
    /// <exception cref="ModelFileException">It holds several.</exception>
    public static string? GgufIn(string directory)
    {
        if (File.Exists(System.IO.Path.Combine(directory, "config.json")))
        {
            return null;
        }

        string[] models = [.. Directory.EnumerateFiles(directory, "*.gguf").Where(file => !GgufSplit.IsLaterPart(file)).Order(StringComparer.Ordinal)];
        return models.Length <= 1
            ? models.SingleOrDefault()
            : throw new ModelFileException(
                $"{directory}: the directory holds {models.Length} GGUF files; name one of them, such as {models[0]}.");
    }
}
