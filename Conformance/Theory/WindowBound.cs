namespace KvIL.Conformance.Theory;

/// <summary>The bound on the mean loss of a window of queries that all lose the same rows.</summary>
/// <remarks>
/// Ada-KV's theorem 3.1 is for one query; its mean over the w queries, with the same rows kept, is
/// <code>mean_t L_t ≤ ε̄ = 2C Σ_i Σ_{j dropped} Ā_ij        Ā = mean_t A_t</code>
/// The group mean of Ā without pooling is the score whose global order minimises it. With one query it is ε.
/// </remarks>
public sealed class WindowBound
{
    private readonly AttentionLayer _layer;
    private readonly double[][] _mean;

    /// <summary>The bound for the last queries of a prompt.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="queries"><c>[w][h·d]</c> after RoPE, the newest last, at position T − 1.</param>
    public WindowBound(AttentionLayer layer, double[][] queries)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(queries);
        _layer = layer;
        _mean = [.. Enumerable.Range(0, layer.QueryHeads).Select(_ => new double[layer.Tokens])];
        for (int t = 0; t < queries.Length; t++)
        {
            double[][] attention = layer.Attention(queries[t], layer.Tokens - queries.Length + t);
            for (int i = 0; i < _mean.Length; i++)
            {
                for (int j = 0; j < layer.Tokens; j++) _mean[i][j] += attention[i][j] / queries.Length;
            }
        }
    }

    /// <summary>ε̄ of keeping <paramref name="kept"/>.</summary>
    /// <param name="kept">Rows that each KV head keeps.</param>
    /// <param name="norm">C (<see cref="LayerLoss.Norm"/>).</param>
    public double Epsilon(int[][] kept, double norm)
    {
        double dropped = 0;
        for (int i = 0; i < _mean.Length; i++)
        {
            HashSet<int> keeps = [.. kept[i / _layer.Group]];
            for (int j = 0; j < _layer.Tokens; j++) dropped += keeps.Contains(j) ? 0 : _mean[i][j];
        }

        return 2 * norm * dropped;
    }
}
