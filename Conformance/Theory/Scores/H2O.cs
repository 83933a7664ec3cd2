using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>H2O: attention received from all queries; the most recent rows are always kept.</summary>
/// <remarks>
/// H2O (arXiv:2306.14048), Algorithm 1, at the end of a prompt: <c>s[g, j] = reduce_{i in g} Σ_{t ≥ j} a[i, t, j]</c>. Early rows
/// are seen by more queries and gain by it; that is the method. The paper gives half of a budget to the recent rows.
/// </remarks>
/// <param name="Recent">Rows at the end that are kept.</param>
/// <param name="Group">How a group is reduced.</param>
public sealed record H2O(int Recent, GroupReduce Group = GroupReduce.Mean) : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.ColumnSums;

    /// <inheritdoc/>
    public (int Begin, int Count) Candidates(int length) => (0, ProtectedRows.Candidates(length, 0, Recent));

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x)
    {
        double[,] sums = x.ColumnSums();
        double[,] prefix = Arrays.Table(sums.GetLength(0), Candidates(x.Length).Count, (i, j) => sums[i, j]);
        return WindowScores.Group(prefix, Group == GroupReduce.None ? sums.GetLength(0) : x.KvHeads, SnapKv.Reduce(Group));
    }
}
