namespace KvIL.Inference.Files;

/// <summary>A model's directory, opened: its configuration and its weights.</summary>
/// <remarks>
/// The directory holds <c>config.json</c>, the weights as <c>model.safetensors</c> or as shards named by
/// <c>model.safetensors.index.json</c> (the single file wins where both exist), and optionally
/// <c>generation_config.json</c> and <c>tokenizer.json</c>. Weights are mapped, not read.
/// </remarks>
public sealed class Checkpoint : IDisposable
{
    private const string SingleFile = "model.safetensors";
    private const string IndexFile = "model.safetensors.index.json";

    private readonly List<SafeTensorsFile> _files = [];

    private Checkpoint(string directory)
    {
        Directory = directory;
        Config = ReadConfig(directory);
        string single = Path.Combine(directory, SingleFile);
        try
        {
            Tensors = File.Exists(single) ? OpenFile(single).Tensors : OpenShards();
        }
        catch
        {
            Dispose();
            throw;
        }

        WeightBytes = Tensors.Values.Sum(tensor => tensor.Data.LengthBytes);
        string tokenizer = Path.Combine(directory, "tokenizer.json");
        TokenizerPath = File.Exists(tokenizer) ? tokenizer : null;
    }

    /// <summary>The directory as given to <see cref="Open"/>.</summary>
    public string Directory { get; }

    /// <summary>The model's shape; end tokens of <c>generation_config.json</c> replace those of <c>config.json</c>.</summary>
    public ModelConfig Config { get; }

    /// <summary>The weights by name.</summary>
    public IReadOnlyDictionary<string, FileTensor> Tensors { get; }

    /// <summary>Bytes of all tensors together.</summary>
    public long WeightBytes { get; }

    /// <summary>Path of <c>tokenizer.json</c>; null where the checkpoint has none.</summary>
    public string? TokenizerPath { get; }

    /// <summary>Opens the checkpoint in <paramref name="directory"/>.</summary>
    /// <exception cref="ModelFileException">
    /// It is not a directory, or a file in it is missing, damaged or not supported.
    /// </exception>
    public static Checkpoint Open(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (System.IO.Directory.Exists(directory))
        {
            return new Checkpoint(directory);
        }

        if (!File.Exists(directory))
        {
            throw new ModelFileException(
                $"{directory}: there is no such directory; name the one that holds config.json and {SingleFile}.");
        }

        throw Path.GetExtension(directory).ToUpperInvariant() switch
        {
            ".GGUF" or ".BIN" => new ModelFileException(
                $"{directory}: {Path.GetExtension(directory)} files are not supported yet; "
                + $"name a directory with config.json and {SingleFile}."),
            _ => new ModelFileException(
                $"{directory}: expected a directory, found a file; "
                + $"name the directory that holds config.json and {SingleFile}."),
        };
    }

    /// <summary>The tensor of that name and shape, of any type that KvIL computes with.</summary>
    /// <exception cref="ModelFileException">It is missing, or its type or shape is another.</exception>
    public FileTensor Require(string name, params long[] shape)
    {
        if (!Tensors.TryGetValue(name, out FileTensor? tensor))
        {
            throw new ModelFileException(
                $"{Directory}: the tensor {ModelFileException.Quote(name)} {Shapes.Show(shape)} is missing; "
                + "config.json and the weights do not belong together, or the download is incomplete.");
        }

        if (tensor.Type is null || !tensor.Shape.SequenceEqual(shape))
        {
            string expected = tensor.Type is null ? "F32, F16, BF16 or I32" : tensor.StoredType;
            throw new ModelFileException(
                $"{tensor.Path}: tensor {ModelFileException.Quote(name)} at byte offset {tensor.FileOffset}: expected "
                + $"{expected} {Shapes.Show(shape)}, got {tensor.StoredType} {Shapes.Show([.. tensor.Shape])}; "
                + "config.json and the weights do not belong together.");
        }

        return tensor;
    }

    /// <summary>Closes the files; the data of every tensor becomes invalid.</summary>
    public void Dispose() => _files.ForEach(file => file.Dispose());

    private static ModelConfig ReadConfig(string directory)
    {
        ModelConfig config = ModelConfig.Parse(Path.Combine(directory, "config.json"));
        string generation = Path.Combine(directory, "generation_config.json");
        return File.Exists(generation) && ModelConfigReader.ReadGenerationEos(generation, config.VocabSize) is { } eos
            ? config with { EosTokenIds = eos }
            : config;
    }

    private SafeTensorsFile OpenFile(string path)
    {
        SafeTensorsFile file = SafeTensorsFile.Open(path);
        _files.Add(file);
        return file;
    }

    private SafeTensorsFile OpenShard(string index, string shard)
    {
        string path = Path.Combine(Directory, shard);
        return File.Exists(path)
            ? OpenFile(path)
            : throw new ModelFileException(
                $"{index}: the index names {ModelFileException.Quote(shard)}, which is missing; complete the download.");
    }

    private Dictionary<string, FileTensor> OpenShards()
    {
        string index = Path.Combine(Directory, IndexFile);
        if (!File.Exists(index))
        {
            throw new ModelFileException(
                $"{Directory}: found neither {SingleFile} nor {IndexFile}; name the directory that holds the weights "
                + "in safetensors form.");
        }

        Dictionary<string, string> shardOf = ShardIndex.Read(index);
        Dictionary<string, SafeTensorsFile> shards = shardOf.Values.Distinct()
            .ToDictionary(shard => shard, shard => OpenShard(index, shard));
        var tensors = new Dictionary<string, FileTensor>();
        foreach ((string name, string shard) in shardOf)
        {
            tensors[name] = shards[shard].Tensors.TryGetValue(name, out FileTensor? tensor)
                ? tensor
                : throw new ModelFileException(
                    $"{index}: the tensor {ModelFileException.Quote(name)} is not in {ModelFileException.Quote(shard)}, "
                    + "where the index says it is; download both again.");
        }

        return tensors;
    }
}
