namespace KvIL.Inference.Files;

/// <summary>A directory as Hugging Face's transformers write it.</summary>
/// <remarks>
/// It holds <c>config.json</c>, the weights as <c>model.safetensors</c> or as shards named by
/// <c>model.safetensors.index.json</c> (the single file wins where both exist), and optionally
/// <c>generation_config.json</c> and <c>tokenizer.json</c>.
/// </remarks>
internal sealed class SafeTensorsDirectory
{
    private const string SingleFile = "model.safetensors";
    private const string IndexFile = "model.safetensors.index.json";

    private readonly string _directory;
    private readonly List<SafeTensorsFile> _files = [];

    private SafeTensorsDirectory(string directory) => _directory = directory;

    /// <summary>Opens the directory.</summary>
    /// <exception cref="ModelFileException">A file in it is missing, damaged or not supported.</exception>
    public static ModelSource Open(string directory)
    {
        ModelConfig config = ReadConfig(directory);
        string tokenizer = Path.Combine(directory, "tokenizer.json");
        var opened = new SafeTensorsDirectory(directory);
        try
        {
            return new(
                directory, "safetensors", "config.json", config, Plain(opened.OpenTensors(), config.WeightPrefix),
                File.Exists(tokenizer) ? tokenizer : null, opened._files);
        }
        catch
        {
            opened._files.ForEach(file => file.Dispose());
            throw;
        }
    }

    // By the names that a checkpoint of the language model alone has; other parts keep theirs.
    private static IReadOnlyDictionary<string, FileTensor> Plain(IReadOnlyDictionary<string, FileTensor> tensors, string prefix)
    {
        if (prefix == "model.")
        {
            return tensors;
        }

        var plain = new Dictionary<string, FileTensor>();
        foreach ((string name, FileTensor tensor) in tensors)
        {
            bool isOurs = name.StartsWith(prefix, StringComparison.Ordinal);
            string key = isOurs ? $"model.{name[prefix.Length..]}" : name;
            if (isOurs || !plain.ContainsKey(key))
            {
                plain[key] = tensor;
            }
        }

        return plain;
    }

    private static ModelConfig ReadConfig(string directory)
    {
        ModelConfig config = ModelConfig.Parse(Path.Combine(directory, "config.json"));
        string generation = Path.Combine(directory, "generation_config.json");
        return File.Exists(generation) && ModelConfigReader.ReadGenerationEos(generation, config.VocabSize) is { } eos
            ? config with { EosTokenIds = eos }
            : config;
    }

    private IReadOnlyDictionary<string, FileTensor> OpenTensors()
    {
        string single = Path.Combine(_directory, SingleFile);
        return File.Exists(single) ? OpenFile(single).Tensors : OpenShards();
    }

    private SafeTensorsFile OpenFile(string path)
    {
        SafeTensorsFile file = SafeTensorsFile.Open(path);
        _files.Add(file);
        return file;
    }

    private SafeTensorsFile OpenShard(string index, string shard)
    {
        string path = Path.Combine(_directory, shard);
        return File.Exists(path)
            ? OpenFile(path)
            : throw new ModelFileException(
                $"{index}: the index names {ModelFileException.Quote(shard)}, which is missing; complete the download.");
    }

    private Dictionary<string, FileTensor> OpenShards()
    {
        string index = Path.Combine(_directory, IndexFile);
        if (!File.Exists(index))
        {
            throw new ModelFileException(
                $"{_directory}: found neither {SingleFile} nor {IndexFile}; name the directory that holds the weights "
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
