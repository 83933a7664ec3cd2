using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>FINCH: SnapKV without pooling, each query's weights times the number of rows before it.</summary>
/// <remarks>
/// FINCH (arXiv:2408.00167); kvpress, <c>FinchPress</c>:
/// <code>s[g, j] = mean_{i in g} mean_t (T − w + t) · a[i, t, j]</code>
/// A softmax over more rows spreads thinner; the factor undoes that. Kept keys are turned to neighbouring positions
/// (<see cref="Rotation.Rerotated"/>).
/// </remarks>
/// <param name="Window">w.</param>
/// <param name="Normalise">Whether the factor is there.</param>
public sealed record Finch(int Window, bool Normalise = true) : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.WindowQueries;

    /// <inheritdoc/>
    public (int Begin, int Count) Candidates(int length) => (0, ProtectedRows.Candidates(length, 0, Window));

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x)
    {
        double[,] all = OfAllRows(x);
        return Arrays.Table(x.KvHeads, x.Length - Window, (g, j) => all[g, j]);
    }

    /// <summary>Scores of every row, those of the window included.</summary>
    public double[,] OfAllRows(ScoreInputs x)
    {
        double[,,] a = x.WindowAttention(Window);
        int[] positions = x.Positions;
        double Weight(int t) => Normalise ? positions.Count(p => p < x.Tokens - Window + t) : 1;
        double[,] mean = Arrays.Table(
            a.GetLength(0), x.Length, (i, j) => Enumerable.Range(0, Window).Average(t => Weight(t) * a[i, t, j]));
        return Arrays.GroupMean(mean, x.KvHeads);
    }
}
