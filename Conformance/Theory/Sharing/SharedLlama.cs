using KvIL.Sharing;

namespace KvIL.Conformance.Theory.Sharing;

/// <summary>A Llama whose layers read the keys and values of others, by definition, in double.</summary>
/// <remarks>
/// Wu and Tu 2025 (arXiv:2410.14442), §2, and Wu and Tu 2024 (arXiv:2405.10637), §3.1. For token t and layer i with owner o = kv(i):
/// <code>
/// q = Rope(W_q h, t),   k_o[t] = Rope(W_k h, t), v_o[t] = W_v h  of the owner's own h        h = RmsNorm(x)
/// keys seen:  s ≤ t      where o ≤ i                                                          less those before t − W + 1
///             s ≤ t − 1  where o > i, and everywhere if the model is strictly past               with a window W
/// a = Σ_s softmax_s(q · k_o[s] / √d) v_o[s],   0 where no key is seen
/// x = x + W_o a;   x = x + W_down (silu(W_gate h') · W_up h')
/// </code>
/// </remarks>
/// <param name="weights">The weights; projections of keys and values of layers that own no store are never read.</param>
/// <param name="map">Which layer reads whose keys and values; owners may read elsewhere.</param>
public sealed partial class SharedLlama(SharedLlamaWeights weights, SharingMap map)
{
    private readonly SharedLlamaSizes _sizes = weights.Sizes;
    private readonly double[] _frequencies =
        [.. Enumerable.Range(0, weights.Sizes.HeadDim / 2).Select(f => Math.Pow(weights.Sizes.Theta, -2.0 * f / weights.Sizes.HeadDim))];

    /// <summary>The map.</summary>
    public SharingMap Map => map;

    /// <summary>Whether every layer sees only keys strictly before its token.</summary>
    public bool StrictlyPast { get; init; }

    /// <summary>By layer, keys that a query sees at most; null for all.</summary>
    public IReadOnlyList<int?> Windows { get; init; } = [.. Enumerable.Repeat<int?>(null, map.NumLayers)];

    /// <summary>
    /// Whether layers that read above decode as the main branch of the published code does: a zero key and value stand before the cached
    /// keys, and the last key is dropped, so that token t sees {0, k_0 … k_(t−2)} in place of {k_0 … k_(t−1)}.
    /// </summary>
    /// <remarks>whyNLP/LCKV dd21716, <c>layer_get(zerofill)</c>. Not what the papers define; only <see cref="Step"/> does it.</remarks>
    public bool RepeatsPublishedDefect { get; init; }

    /// <summary>For laws: whether a layer sees whatever rows its owner's cache holds when the layer runs; the same as the definition, token by token.</summary>
    public bool SeesWhatIsCached { get; init; }

    /// <summary>For laws: the map after which a layer's rows, of a model that shares nothing, are replaced by those of another layer as soon as they are there.</summary>
    public SharingMap? Copies { get; init; }

    /// <summary>Runs the next token through all layers, once, and adds its keys and values; its logits.</summary>
    public double[] Step(SharedCache cache, int token)
    {
        ArgumentNullException.ThrowIfNull(cache);
        double[][] x = [Embed(token)];
        for (int layer = 0; layer < map.NumLayers; layer++)
        {
            x = Layer(layer, x, cache, RepeatsPublishedDefect);
        }

        cache.Tokens++;
        return Logits(x[0]);
    }

    /// <summary>Token by token: the definition; one row of logits a token.</summary>
    public double[][] Sequential(IEnumerable<int> tokens)
    {
        SharedCache cache = new(map);
        return [.. tokens.Select(token => Step(cache, token))];
    }

    /// <summary>Greedy continuation: logits of each step, starting from those of the last token of the prompt.</summary>
    public double[][] Greedy(SharedCache cache, double[] logits, int count)
    {
        List<double[]> rows = [logits];
        while (rows.Count < count)
        {
            rows.Add(Step(cache, Array.IndexOf(rows[^1], rows[^1].Max())));
        }

        return [.. rows];
    }

    // One layer over tokens cache.Tokens, cache.Tokens + 1, …: rows of x.
    private double[][] Layer(int layer, double[][] x, SharedCache cache, bool defect)
    {
        string prefix = $"model.layers.{layer}.";
        int hidden = _sizes.Hidden, first = cache.Tokens;
        double[][] Linear(double[][] rows, string name)
        {
            double[][] matrix = weights.Matrix(prefix + name, rows[0].Length);
            return [.. rows.Select(row => Product(matrix, row))];
        }

        double[][] h = [.. x.Select(row => Norm(row, prefix + "input_layernorm"))];
        double[][] q = [.. Linear(h, "self_attn.q_proj").Select((row, j) => Rope(row, first + j))];
        if (map.IsOwner(layer))
        {
            (double[][] k, double[][] v) = (Linear(h, "self_attn.k_proj"), Linear(h, "self_attn.v_proj"));
            for (int j = 0; j < x.Length; j++)
            {
                cache.Set(layer, first + j, Rope(k[j], first + j), v[j]);
                if (Copies is { } copied) cache.Copy(copied.Sources[layer], layer, first + j);
            }
        }

        double[][] a = [.. q.Select((row, j) => Attend(layer, row, first + j, cache, defect))];
        x = Sum(x, Linear(a, "self_attn.o_proj"));
        h = [.. x.Select(row => Norm(row, prefix + "post_attention_layernorm"))];
        double[][] gate = Linear(h, "mlp.gate_proj"), up = Linear(h, "mlp.up_proj");
        double[][] inner = [.. gate.Zip(up, (g, u) => g.Zip(u, (z, y) => z / (1 + Math.Exp(-z)) * y).ToArray())];
        return Sum(x, Linear(inner, "mlp.down_proj"));
    }

    private double[] Attend(int layer, double[] q, int t, SharedCache cache, bool defect)
    {
        (double[][] keys, double[][] values) = Seen(layer, t, cache, defect);
        int d = _sizes.HeadDim, group = _sizes.QueryHeads / _sizes.KvHeads;
        double[] a = new double[q.Length];
        for (int head = 0; head < _sizes.QueryHeads && keys.Length > 0; head++)
        {
            (int at, int kv) = (head * d, head / group * d);
            double[] scores = [.. keys.Select(key => Dot(q, at, key, kv, d) / Math.Sqrt(d))];
            double[] p = WindowScores.Softmax(scores);
            for (int c = 0; c < d; c++)
            {
                for (int s = 0; s < p.Length; s++) a[at + c] += p[s] * values[s][kv + c];
            }
        }

        return a;
    }

    // The keys and values that token t sees in a layer.
    private (double[][] Keys, double[][] Values) Seen(int layer, int t, SharedCache cache, bool defect)
    {
        bool above = map.ReadsAbove(layer);
        int end = SeesWhatIsCached ? cache.Count(map.Sources[layer]) : above || StrictlyPast ? t : t + 1;
        int begin = Windows[layer] is int window ? Math.Max(0, t - window + 1) : 0;
        (double[][] keys, double[][] values) = cache.Rows(map.Sources[layer], begin, Math.Max(begin, end));
        if (!defect || !above) return (keys, values);
        double[] zero = new double[_sizes.KvHeads * _sizes.HeadDim];
        return ([.. keys.Prepend(zero).SkipLast(1)], [.. values.Prepend(zero).SkipLast(1)]);
    }

    private double[] Embed(int token) => [.. weights.Matrix("model.embed_tokens", _sizes.Hidden)[token]];

    private double[] Logits(double[] x) => Product(weights.Head, Norm(x, "model.norm"));

    private double[] Norm(double[] x, string name)
    {
        double scale = 1 / Math.Sqrt((Dot(x, 0, x, 0, x.Length) / x.Length) + _sizes.Epsilon);
        double[] weight = weights.Vector(name);
        return [.. x.Select((v, c) => v * scale * weight[c])];
    }

    // Channels f and f + d/2 of a head turn by t θ^(−2f/d).
    private double[] Rope(double[] x, int t)
    {
        int d = _sizes.HeadDim, half = d / 2;
        double[] y = new double[x.Length];
        for (int f = 0; f < half; f++)
        {
            (double sin, double cos) = Math.SinCos(t * _frequencies[f]);
            for (int a = f; a < x.Length; a += d)
            {
                (y[a], y[a + half]) = ((x[a] * cos) - (x[a + half] * sin), (x[a + half] * cos) + (x[a] * sin));
            }
        }

        return y;
    }

    private static double[][] Sum(double[][] x, double[][] y) => [.. x.Zip(y, (a, b) => a.Zip(b, (u, v) => u + v).ToArray())];

    private static double[] Product(double[][] matrix, double[] x)
    {
        double[] y = new double[matrix.Length];
        for (int i = 0; i < y.Length; i++) y[i] = Dot(matrix[i], 0, x, 0, x.Length);
        return y;
    }

    private static double Dot(double[] x, int atX, double[] y, int atY, int count)
    {
        double sum = 0;
        for (int c = 0; c < count; c++) sum += x[atX + c] * y[atY + c];
        return sum;
    }
}

/// <summary>Keys, rotated, and values of the tokens so far, by the layer that owns them.</summary>
public sealed class SharedCache(SharingMap map)
{
    private readonly Dictionary<int, List<(double[] Key, double[] Value)>> _rows =
        Enumerable.Range(0, map.NumStores).ToDictionary(map.Owner, _ => new List<(double[], double[])>());

    /// <summary>Tokens that went through all layers.</summary>
    public int Tokens { get; internal set; }

    /// <summary>Writes the row of a token, the next or one that is there.</summary>
    public void Set(int owner, int token, double[] key, double[] value)
    {
        List<(double[], double[])> rows = _rows[owner];
        if (token == rows.Count) rows.Add((key, value));
        else rows[token] = (key, value);
    }

    /// <summary>Rows of tokens <paramref name="begin"/> to <paramref name="end"/> − 1.</summary>
    public (double[][] Keys, double[][] Values) Rows(int owner, int begin, int end)
    {
        (double[] Key, double[] Value)[] seen = [.. _rows[owner].GetRange(begin, end - begin)];
        return ([.. seen.Select(row => row.Key)], [.. seen.Select(row => row.Value)]);
    }

    /// <summary>Rows that an owner has written.</summary>
    public int Count(int owner) => _rows[owner].Count;

    /// <summary>Replaces the row of a token by that of another owner.</summary>
    internal void Copy(int from, int to, int token) => _rows[to][token] = _rows[from][token];

    /// <summary>Sets the rows of <paramref name="count"/> tokens that are to come to zero.</summary>
    internal void Guess(int owner, int count, int width)
    {
        for (int token = Tokens; token < Tokens + count; token++)
        {
            Set(owner, token, new double[width], new double[width]);
        }
    }
}
