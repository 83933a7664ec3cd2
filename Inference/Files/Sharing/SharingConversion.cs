using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvIL.Inference.Files.Quantization;
using KvIL.Inference.Models;
using KvIL.Inference.Models.Architectures;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Inference.Files.Sharing;

/// <summary>Where the key and value projections of an owner come from.</summary>
public enum OwnerWeights
{
    /// <summary>The mean of those of all layers that read its store, its own included where it reads itself.</summary>
    Average,

    /// <summary>Its own.</summary>
    Keep,
}

/// <summary>Writes a Llama as a checkpoint whose layers share keys and values.</summary>
/// <remarks>
/// Wu and Tu 2025 (arXiv:2410.14442), §3 and the published code's <c>convert_pretrained.py</c>:
/// <code>
/// W_k(o) = mean { W_k(i) : kv(i) = o },  W_v(o) likewise;   all other tensors as they are;   no W_k, W_v where nobody reads
/// </code>
/// Biases of keys and values go as their matrices. The result needs further training to be of use.
/// </remarks>
public sealed class SharingConversion
{
    private const string WeightsFile = "model.safetensors";

    private static readonly string[] s_copied =
    [
        "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",
        "chat_template.json", "vocab.json", "merges.txt", "tokenizer.model",
    ];

    private readonly Checkpoint _source;
    private readonly LayerTypes _types;
    private readonly OwnerWeights _init;

    /// <summary>A conversion of an open checkpoint; nothing is written yet.</summary>
    /// <param name="source">The checkpoint: a directory with safetensors, of a Llama or one that shares already.</param>
    /// <param name="share">A <see cref="SharingConfiguration"/> or a text of <see cref="LayerTypes"/>; without marks for windows the layers keep theirs.</param>
    /// <param name="init">What owners start from.</param>
    /// <exception cref="RequestException">The checkpoint cannot be converted, or the map is none for it.</exception>
    /// <exception cref="ModelFileException">A projection that is needed is missing.</exception>
    public SharingConversion(Checkpoint source, string share, OwnerWeights init)
    {
        ArgumentNullException.ThrowIfNull(source);
        ModelConfig config = source.Config;
        if (source.Format != "safetensors" || !Directory.Exists(source.Path))
        {
            throw new RequestException($"{source.Path} is {source.Format}, and only a directory with config.json and safetensors can be converted; take the model in that form.");
        }

        if (config.Architecture is not ("LlamaForCausalLM" or Lckv.ClassName))
        {
            throw new RequestException($"A checkpoint of shared layers is a Llama, and {source.Path} is {config.Architecture}; run it with --share instead.");
        }

        LayerTypes types = ForcedSharing.Parse(config, share);
        (_source, _init) = (source, init);
        _types = types.Slides ? types : types with { Sliding = [.. config.Layers.Select(layer => layer.Window is not null)] };
        // Whatever the map needs must be there before anything is written.
        foreach (string name in Enumerable.Range(0, config.NumLayers).Where(Map.IsOwner).SelectMany(owner => Projections(owner)))
        {
            _ = Sources(name);
        }
    }

    /// <summary>The map of the result.</summary>
    public SharingMap Map => _types.Map;

    /// <summary>Parameters of the result.</summary>
    public long Parameters => Kept().Sum(tensor => tensor.ElementCount);

    /// <summary>Writes the directory; where anything fails it is not there.</summary>
    /// <exception cref="ModelFileException">It is there already, or the file system refuses.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public void Write(string directory, CancellationToken cancelled = default) => AtomicDirectory.Write(directory, folder =>
    {
        File.WriteAllText(Path.Combine(folder, "config.json"), Config());
        foreach (string name in s_copied)
        {
            string from = Path.Combine(_source.Path, name);
            if (File.Exists(from)) File.WriteAllBytes(Path.Combine(folder, name), File.ReadAllBytes(from)); // writable, also where the source is not
        }

        SafeTensorsWriter.Write(
            Path.Combine(folder, WeightsFile),
            [.. Kept().Select(tensor => new SafeTensorsSource(tensor.Name, tensor.StoredType, tensor.Shape, stream => WriteTensor(tensor, stream)))],
            cancelled);
    });

    private string Config()
    {
        string path = Path.Combine(_source.Path, "config.json");
        JsonObject config = Object(path);
        config["architectures"] = new JsonArray(Lckv.ClassName);
        config["model_type"] = "lckv-llama";
        config["layer_types"] = _types.ToString();
        config["force_nodiag"] = _source.Config.StrictlyPast;
        config.TryAdd("forward_passes", 7);
        config.TryAdd("backward_passes", 2);
        config.TryAdd("use_sequential", false);
        config.TryAdd("num_key_value_heads", _source.Config.NumKvHeads);
        return config.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n";
    }

    // The checkpoint was opened, so this is JSON; but a field that nobody reads may stand there twice.
    private static JsonObject Object(string path)
    {
        try
        {
            JsonObject config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
            _ = config.Count;
            return config;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or JsonException)
        {
            throw new ModelFileException($"{path}: a field stands there twice; correct the file or download it again.", e);
        }
    }

    private IEnumerable<FileTensor> Kept() => _source.Tensors.Values.Where(tensor => LayerOf(tensor.Name) is not int layer || Map.IsOwner(layer));

    private void WriteTensor(FileTensor tensor, Stream stream)
    {
        FileTensor[] sources = LayerOf(tensor.Name) is null ? [tensor] : Sources(tensor.Name);
        if (sources is [FileTensor only])
        {
            Copy(only, stream);
            return;
        }

        (DType type, int count) = (tensor.Type!.Value, checked((int)(tensor.Shape.Count > 1 ? tensor.Shape[^1] : tensor.ElementCount)));
        (double[] sum, float[] row) = (new double[count], new float[count]);
        byte[] stored = new byte[type.SizeBytes(count)];
        for (long at = 0; at < tensor.Data.LengthBytes; at += stored.Length)
        {
            Array.Clear(sum);
            foreach (FileTensor source in sources)
            {
                ReadOnlySpan<byte> elements = source.Data.Slice(at, stored.Length).AsSpan();
                for (int i = 0; i < count; i++) sum[i] += Element(type, elements, i);
            }

            for (int i = 0; i < count; i++) row[i] = (float)(sum[i] / sources.Length);
            Quantizer.Quantize(type, row, stored);
            stream.Write(stored);
        }
    }

    // The tensors that an owner's projection is made of, all of one shape and type.
    private FileTensor[] Sources(string name)
    {
        int owner = LayerOf(name)!.Value;
        int[] layers = _init == OwnerWeights.Keep ? [owner] : [.. Enumerable.Range(0, Map.NumLayers).Where(layer => Map.Sources[layer] == owner)];
        long[] shape = name.EndsWith(".weight", StringComparison.Ordinal)
            ? [_source.Config.KvWidthOf(owner), _source.Config.HiddenSize] : [_source.Config.KvWidthOf(owner)];
        FileTensor[] sources = [.. layers.Select(Of)];
        return sources.FirstOrDefault(tensor => tensor.Type != sources[0].Type || tensor.Type is DType.I32) is { } other
            ? throw new ModelFileException($"{other.Path}: tensor {other.Name} is {other.StoredType}, and {sources[0].Name} is {sources[0].StoredType}; convert the checkpoint to one type of F32, F16 or BF16.")
            : sources;

        FileTensor Of(int layer)
        {
            string full = name.Replace(Names.Layer(owner), Names.Layer(layer), StringComparison.Ordinal);
            return _source.Tensors.ContainsKey(full) || _source.Config.OwnMap().IsOwner(layer)
                ? _source.Require(full, shape)
                : throw new RequestException($"Layer {layer} of {_source.Path} reads another layer's store and has no {full}; convert the model that it was made from.");
        }
    }

    private IEnumerable<string> Projections(int layer) =>
        from projection in (string[])["k_proj", "v_proj"]
        from part in _source.Config.QkvBias ? (string[])["weight", "bias"] : ["weight"]
        select $"{Names.Layer(layer)}self_attn.{projection}.{part}";

    // The layer whose key or value projection a tensor is; null for any other tensor.
    private static int? LayerOf(string name)
    {
        string[] parts = name.Split('.');
        return parts is ["model", "layers", string layer, "self_attn", "k_proj" or "v_proj", _] && int.TryParse(layer, out int number) ? number : null;
    }

    private static float Element(DType type, ReadOnlySpan<byte> elements, int i) => type switch
    {
        DType.F32 => BinaryPrimitives.ReadSingleLittleEndian(elements[(4 * i)..]),
        DType.F16 => (float)BinaryPrimitives.ReadHalfLittleEndian(elements[(2 * i)..]),
        _ => BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadInt16LittleEndian(elements[(2 * i)..]) << 16),
    };

    private static void Copy(FileTensor tensor, Stream stream)
    {
        const int most = 1 << 24;
        for (long at = 0; at < tensor.Data.LengthBytes; at += most)
        {
            stream.Write(tensor.Data.Slice(at, Math.Min(most, tensor.Data.LengthBytes - at)).AsSpan());
        }
    }
}
