using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>H2O's sum per query that can see the row, which takes the advantage of early rows away.</summary>
/// <remarks>kvpress, <c>ObservedAttentionPress</c>: <c>s[g, j] = mean_{i in g} ( Σ_{t ≥ j} a[i, t, j] / (T − j) )</c>, T − j the queries at hand that see the row; 0 where none does.</remarks>
public sealed record ObservedAttention : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.ColumnSums;

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x)
    {
        double[,] sums = x.ColumnSums();
        return Arrays.GroupMean(
            Arrays.Table(sums.GetLength(0), x.Length, (i, j) => sums[i, j] / Math.Max(x.SeenBy(j), 1)), x.KvHeads);
    }
}
