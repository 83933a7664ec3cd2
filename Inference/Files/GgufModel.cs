namespace KvIL.Inference.Files;

/// <summary>A GGUF file as a model.</summary>
internal static class GgufModel
{
    /// <summary>Opens the file at a path, with its other parts.</summary>
    /// <exception cref="ModelFileException">The file cannot be read, is damaged, or describes what KvIL does not run.</exception>
    public static ModelSource Open(string path)
    {
        GgufFile file = GgufFile.Open(path);
        try
        {
            ModelConfig config = GgufConfigReader.Read(file);
            var tensors = new Dictionary<string, FileTensor>();
            foreach (FileTensor tensor in file.Tensors.Values)
            {
                string name = GgufNames.Canonical(tensor.Name, config);
                if (!tensors.TryAdd(name, tensor with { Name = name }))
                {
                    throw new ModelFileException(
                        $"{tensor.Path}: two tensors are {ModelFileException.Quote(name)}, one of them "
                        + $"{ModelFileException.Quote(tensor.Name)}; the file is damaged, so download it again.");
                }
            }

            string? tokenizer = file.Metadata.Find("tokenizer.ggml.tokens") is null ? null : path;
            return new(path, $"gguf v{file.Version}", "the metadata", config, tensors, tokenizer, [file]) { Metadata = file.Metadata };
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }
}
