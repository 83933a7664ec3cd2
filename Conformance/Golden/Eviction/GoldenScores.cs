using System.Text.RegularExpressions;
using KvIL.Conformance.Theory.Scores;
using KvIL.Eviction;

namespace KvIL.Conformance.Golden.Eviction;

/// <summary>Which definition a recorded method is, and what it is given.</summary>
internal static partial class GoldenScores
{
    // A chunk is filled up, so its square is computed however few rows there are.
    private const int MostChunk = 1 << 11;

    /// <summary>The base score's name in a method such as <c>AdaKV(SnapKV)</c> or <c>SnapKV (original)</c>.</summary>
    public static (string? Wrapper, string Score) Names(string method)
    {
        Match wrapped = Wrapped().Match(method);
        return wrapped.Success
            ? (wrapped.Groups[1].Value, wrapped.Groups[2].Value)
            : (null, method.Split(' ')[0]);
    }

    /// <summary>The definition of a score with the case's parameters; null where KvIL has none of that name.</summary>
    public static IScore? Definition(GoldenCase c, string name) => name switch
    {
        "SnapKV" or "PyramidKV" or "AdaptiveSnapKVCluster" or "AdaKVCluster" or "HeadKVCluster" or "AdaSnapKV" => SnapKv(c),
        "H2OKV" => new H2O(Window(c), Group(c)),
        "TOVA" => new Tova(),
        "StreamingLLM" => new StreamingLlm(c.Count("n_sink")),
        "Knorm" or "L2Norm" => new Knorm(),
        "KeyDiff" => new KeyDiff(),
        "ExpectedAttention" => new ExpectedAttention(
            c.Count("n_sink"), c.Count("n_future_positions", 1, 1 << 16), c.Param("use_covariance", true),
            c.Param("use_vnorm", true), c.Param("epsilon", 0.0), c.Param("rope_theta", 10_000.0)),
        "LagKV" => new LagKv(c.Count("n_sink"), c.Count("lag_size", 2), c.Param("cross_scoring", false)),
        "ObservedAttention" => new ObservedAttention(),
        "CURDKV" => new CurDkv(c.Count("num_sinks"), c.Count("local_window_size"), Leverage(c)),
        "NonCausalAttn" => new NonCausalAttention(c.Count("chunk_size", 1, MostChunk), PublishedPadding: true),
        "FINCH" => new Finch(Window(c), c.Param("normalize_scores", true)),
        "QFilter" => new QFilter(),
        "CapKV" => new CapKv(
            c.Count("n_sink"), c.Param("tau", 5.0), c.Count("n_future_positions", 1, 1 << 16), c.Param("epsilon", 1e-6),
            c.Param("rope_theta", 10_000.0)),
        "LeverageScore" => new LeverageScore(
            c.Has("sketch_standard_normal") ? c.Tensor("sketch_standard_normal", [.. c.Tensor("k", 3).Shape.Where((_, i) => i != 1), c.Tensor("sketch_standard_normal", 3).Shape[2]]).Cube() : null, c.Param("jitter", 1e-2)),
        _ => null,
    };

    /// <summary>What the case gives to a score, checked for fitting shapes.</summary>
    /// <param name="c">The case.</param>
    /// <param name="givenAttention">Whether attention that the official code was given takes the place of the queries'.</param>
    public static ScoreInputs Inputs(GoldenCase c, bool givenAttention = true)
    {
        GoldenTensor keys = c.Tensor("k", 3);
        (int kv, int length, int d) = (keys.Shape[0], keys.Shape[1], keys.Shape[2]);
        int heads = c.HasParam("heads") ? c.Count("heads", 1) : kv;
        if (heads % kv != 0) throw c.Fault($"has {heads} query heads for {kv} KV heads");
        if (c.HasParam("seq_len") && c.Count("seq_len") != length) throw c.Fault($"has seq_len {c.Count("seq_len")} and {length} keys");
        double[,,]? Cube(string name, int count) => c.Has(name) ? c.Tensor(name, count, length, d).Cube() : null;
        return new(keys.Cube())
        {
            Queries = Cube("q", heads)!,
            Values = Cube("v", kv)!,
            PreRopeKeys = Cube("k_pre", kv)!,
            PreRopeQueries = Cube("q_pre", heads)!,
            OutputProjection = c.Has("wo") ? c.Tensor("wo", c.Tensor("wo", 2).Shape[0], heads * d).Matrix() : null!,
            Calibration = c.Has("q_filters") ? Filters(c, kv, d) : null!,
            Attention = givenAttention && c.Has("attentions_input") ? c.Tensor("attentions_input", heads, length, length).Cube() : null!,
        };
    }

    /// <summary>w, at most the number of tokens.</summary>
    public static int Window(GoldenCase c) => c.Count("window", 0, c.Count("seq_len"));

    private static SnapKv SnapKv(GoldenCase c)
    {
        // kvpress and its fork pool each query head and then take the group's mean; the others reduce the group first.
        bool poolFirst = c.Repository.Contains("kvpress", StringComparison.Ordinal);
        int kernel = c.Count("kernel", 1, (2 * c.Count("seq_len")) + 1);
        if (kernel % 2 == 0) throw c.Fault($"has an even kernel, {kernel}");
        return new(
            c.Count("window", 1, c.Count("seq_len")),
            kernel,
            c.Param("pooling", "avgpool") == "maxpool" ? PoolKind.Max : PoolKind.Avg,
            poolFirst ? PoolOrder.PoolThenGroup : PoolOrder.GroupThenPool,
            poolFirst ? GroupReduce.Mean : Group(c),
            c.Param("reduce", "mean") == "sum");
    }

    private static GroupReduce Group(GoldenCase c) => !c.Param("gqa_support", false) ? GroupReduce.None : c.Param("gqa_func", "mean") switch
    {
        "max" => GroupReduce.Max,
        "sum" => GroupReduce.Sum,
        _ => GroupReduce.Mean,
    };

    private static CurLeverage Leverage(GoldenCase c) => c.Param("leverage_type", "kv_product") switch
    {
        "key" => CurLeverage.Key,
        "value" => CurLeverage.Value,
        "kv_avg" => CurLeverage.Mean,
        _ => CurLeverage.Product,
    };

    // [layers, kv, d]: the layer's.
    private static double[,] Filters(GoldenCase c, int kv, int d)
    {
        double[,,] all = c.Tensor("q_filters", c.Tensor("q_filters", 3).Shape[0], kv, d).Cube();
        int layer = c.Count("layer_idx", 0, all.GetLength(0) - 1);
        double[,] filters = new double[kv, d];
        for (int x = 0; x < filters.Length; x++) filters[x / d, x % d] = all[layer, x / d, x % d];
        return filters;
    }


    [GeneratedRegex(@"^([^ (]+)\(([^)]+)\)$")]
    private static partial Regex Wrapped();
}
