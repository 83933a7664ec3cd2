using KvIL.Sharing;

namespace KvIL.Conformance.Theory.Sharing;

/// <summary>Sizes of a Llama whose layers share keys and values.</summary>
/// <param name="Hidden">Channels of the residual stream.</param>
/// <param name="QueryHeads">Query heads.</param>
/// <param name="KvHeads">Heads of keys and values.</param>
/// <param name="HeadDim">Channels of a head; even.</param>
/// <param name="Theta">Base of RoPE.</param>
/// <param name="Epsilon">What RMSNorm adds.</param>
public sealed record SharedLlamaSizes(int Hidden, int QueryHeads, int KvHeads, int HeadDim, double Theta, double Epsilon);

/// <summary>Weights of a Llama in double; a matrix is an array of its rows, one a row of outputs.</summary>
public sealed class SharedLlamaWeights
{
    private readonly IReadOnlyDictionary<string, double[]> _tensors;
    private readonly Dictionary<string, double[][]> _matrices = [];

    /// <summary>Takes tensors by their Hugging Face names, row-major; an output head that is absent is the embedding.</summary>
    public SharedLlamaWeights(SharedLlamaSizes sizes, IReadOnlyDictionary<string, double[]> tensors) => (Sizes, _tensors) = (sizes, tensors);

    /// <summary>The sizes.</summary>
    public SharedLlamaSizes Sizes { get; }

    /// <summary>All tensors by name.</summary>
    public IReadOnlyDictionary<string, double[]> Tensors => _tensors;

    /// <summary>A norm's weight.</summary>
    /// <exception cref="KeyNotFoundException">It is not there.</exception>
    public double[] Vector(string name) => _tensors[name + ".weight"];

    /// <summary>A matrix whose rows have <paramref name="columns"/> elements.</summary>
    /// <exception cref="KeyNotFoundException">It is not there.</exception>
    public double[][] Matrix(string name, int columns)
    {
        if (!_matrices.TryGetValue(name, out double[][]? rows))
        {
            _matrices[name] = rows = [.. _tensors[name + ".weight"].Chunk(columns)];
        }

        return rows;
    }

    /// <summary>The output head.</summary>
    public double[][] Head => Matrix(_tensors.ContainsKey("lm_head.weight") ? "lm_head" : "model.embed_tokens", Sizes.Hidden);

    /// <summary>The same weights with one tensor replaced.</summary>
    public SharedLlamaWeights With(string name, Func<double, double> change)
    {
        Dictionary<string, double[]> tensors = new(_tensors);
        tensors[name] = [.. tensors[name].Select(change)];
        return new(Sizes, tensors);
    }

    /// <summary>Random weights for laws, each a float32: scores of deviation near 1, projections of keys and values in every layer.</summary>
    public static SharedLlamaWeights Random(int layers, int vocabulary, int seed, double gain = 1)
    {
        SharedLlamaSizes sizes = new(8, 4, 2, 4, 100, 1e-5);
        Dictionary<string, double[]> tensors = [];
        int stream = 0;
        void Add(string name, int rows, int columns, double deviation, double mean = 0) => tensors[name + ".weight"] =
            [.. Generators.Draw.Values(seed, stream++, rows * columns, Generators.ValueKind.Normal).Select(v => (double)(float)(mean + (deviation * v)))];
        int queries = sizes.QueryHeads * sizes.HeadDim, keys = sizes.KvHeads * sizes.HeadDim;
        double unit = gain / Math.Sqrt(sizes.Hidden);
        Add("model.embed_tokens", vocabulary, sizes.Hidden, 1);
        for (int layer = 0; layer < layers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            Add(prefix + "input_layernorm", 1, sizes.Hidden, 0.2, 1);
            Add(prefix + "self_attn.q_proj", queries, sizes.Hidden, unit);
            Add(prefix + "self_attn.k_proj", keys, sizes.Hidden, unit);
            Add(prefix + "self_attn.v_proj", keys, sizes.Hidden, unit);
            Add(prefix + "self_attn.o_proj", sizes.Hidden, queries, gain / Math.Sqrt(queries));
            Add(prefix + "post_attention_layernorm", 1, sizes.Hidden, 0.2, 1);
            Add(prefix + "mlp.gate_proj", 12, sizes.Hidden, unit);
            Add(prefix + "mlp.up_proj", 12, sizes.Hidden, unit);
            Add(prefix + "mlp.down_proj", sizes.Hidden, 12, gain / Math.Sqrt(12));
        }

        Add("model.norm", 1, sizes.Hidden, 0.2, 1);
        Add("lm_head", vocabulary, sizes.Hidden, unit);
        return new(sizes, tensors);
    }

    /// <summary>The same weights, with every projection of keys and values that no store of <paramref name="map"/> needs full of NaN.</summary>
    public SharedLlamaWeights WithDeadNaN(SharingMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return Enumerable.Range(0, map.NumLayers).Where(layer => !map.IsOwner(layer))
            .SelectMany(layer => (string[])[$"model.layers.{layer}.self_attn.k_proj.weight", $"model.layers.{layer}.self_attn.v_proj.weight"])
            .Aggregate(this, (weights, name) => weights.With(name, _ => double.NaN));
    }
}
