using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>TOVA: attention of the last query, the same for all heads of a layer.</summary>
/// <remarks>
/// TOVA (arXiv:2401.06104): <c>s[g, j] = mean over all query heads of a[i, T − 1, j]</c>. The paper evicts at every step and may
/// evict the last row itself; as in kvpress the last row is kept here.
/// </remarks>
public sealed record Tova : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.LastRow;

    /// <inheritdoc/>
    public (int Begin, int Count) Candidates(int length) => (0, ProtectedRows.Candidates(length, 0, 1));

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x)
    {
        double[,] last = x.LastRow();
        int heads = last.GetLength(0);
        return Arrays.Table(
            x.KvHeads, Candidates(x.Length).Count, (_, j) => Enumerable.Range(0, heads).Average(i => last[i, j]));
    }
}
