namespace KvIL.Inference.Files;

/// <summary>A llama2.c file as a model.</summary>
internal static class Llama2CModel
{
    // Constants of llama2.c's code; its files have no fields for them.
    private const double Epsilon = 1e-5;
    private const double Theta = 10000;
    private const int Bos = 1;
    private const int Eos = 2;

    /// <summary>Opens the file at a path.</summary>
    /// <exception cref="ModelFileException">The file cannot be read, or its header does not fit its size.</exception>
    public static ModelSource Open(string path)
    {
        Llama2CFile file = Llama2CFile.Open(path);
        Llama2CHeader header = file.Header;
        var layer = new LayerConfig(new RopeConfig(Theta, header.HeadDim));
        ModelConfig config = new()
        {
            Architecture = "LlamaForCausalLM",
            ModelType = "llama",
            HiddenSize = header.Width,
            IntermediateSize = header.MlpWidth,
            NumLayers = header.Layers,
            NumQueryHeads = header.QueryHeads,
            NumKvHeads = header.KvHeads,
            HeadDim = header.HeadDim,
            VocabSize = header.Vocabulary,
            MaxPositions = header.Positions,
            RmsNormEps = Epsilon,
            Layers = [.. Enumerable.Repeat(layer, header.Layers)],
            TieWordEmbeddings = header.Tied,
            RopePairing = RopePairing.Interleaved,
            BosTokenId = header.Vocabulary > Bos ? Bos : null,
            // A new story starts with the start token, which ends the one before it.
            EosTokenIds = [.. new[] { Bos, Eos }.Where(id => id < header.Vocabulary)],
        };
        return new(path, $"llama2.c v{file.Version}", "the header", config, file.Tensors, Tokenizer(path, header.Vocabulary), [file]);
    }

    // tokenizer.bin, or tok512.bin for a vocabulary of 512, or the only tok*.bin.
    private static string? Tokenizer(string path, int vocabulary)
    {
        string directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        string[] named = [Path.Combine(directory, "tokenizer.bin"), Path.Combine(directory, $"tok{vocabulary}.bin")];
        if (named.FirstOrDefault(File.Exists) is { } file)
        {
            return file;
        }

        string[] others = [.. Directory.EnumerateFiles(directory, "tok*.bin")];
        return others.Length == 1 ? others[0] : null;
    }
}
