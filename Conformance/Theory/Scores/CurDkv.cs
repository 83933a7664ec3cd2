using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>Which squared norms <see cref="CurDkv"/> ranks by.</summary>
public enum CurLeverage
{
    /// <summary>Keys times values.</summary>
    Product,

    /// <summary>The mean of both.</summary>
    Mean,

    /// <summary>Keys.</summary>
    Key,

    /// <summary>Values.</summary>
    Value,
}

/// <summary>CurDKV: squared norms of keys and values as approximate leverage scores, inside small windows.</summary>
/// <remarks>
/// CurDKV (arXiv:2509.15038); kvpress, <c>CURPress</c>. With W(j) the window of <c>local</c> rows that holds j:
/// <code>
/// k̂[j] = ‖k_j‖² / Σ_{W(j)} ‖k‖²     v̂[j] alike     s[j] = k̂[j] v̂[j] / Σ_all k̂ v̂
/// </code>
/// </remarks>
/// <param name="Sinks">Rows at the start that are kept; they count in the sums.</param>
/// <param name="Local">Rows of a window; 0 takes the norms as they are.</param>
/// <param name="Leverage">Which norms.</param>
public sealed record CurDkv(int Sinks = 4, int Local = 16, CurLeverage Leverage = CurLeverage.Product) : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => Leverage switch
    {
        CurLeverage.Key => ScoreNeeds.Keys,
        CurLeverage.Value => ScoreNeeds.Values,
        _ => ScoreNeeds.Keys | ScoreNeeds.Values,
    };

    /// <inheritdoc/>
    public (int Begin, int Count) Candidates(int length) =>
        (ProtectedRows.Sinks(length, Sinks, 0), ProtectedRows.Candidates(length, Sinks, 0));

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x)
    {
        (int begin, int count) = Candidates(x.Length);
        double[][] s = [.. Enumerable.Range(0, x.KvHeads).Select(g => Share(Combined(x, g), 0, x.Length))];
        return Arrays.Table(x.KvHeads, count, (g, j) => s[g][begin + j]);
    }

    private double[] Combined(ScoreInputs x, int g)
    {
        double[] Norms(double[,,] rows) => Locally([.. Arrays.Vectors(rows, g).Select(y => Arrays.Dot(y, y))]);
        return Leverage switch
        {
            CurLeverage.Key => Norms(x.Keys),
            CurLeverage.Value => Norms(x.Values),
            CurLeverage.Mean => [.. Norms(x.Keys).Zip(Norms(x.Values), (k, v) => (k + v) / 2)],
            _ => [.. Norms(x.Keys).Zip(Norms(x.Values), (k, v) => k * v)],
        };
    }

    private double[] Locally(double[] norms) =>
        Local == 0 ? norms : [.. norms.Select((_, j) => Share(norms, j / Local * Local, Local)[j % Local])];

    // The entries from `first`, divided by their sum.
    private static double[] Share(double[] x, int first, int count)
    {
        double[] part = [.. x.Skip(first).Take(count)];
        double sum = part.Sum();
        return [.. part.Select(y => y / sum)];
    }
}
