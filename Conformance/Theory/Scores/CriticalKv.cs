using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>CriticalKV's second stage: another score times what the row adds to the layer's output.</summary>
/// <remarks>
/// CriticalKV (arXiv:2502.03805), Theorem 3.3 and Algorithm 1:
/// <code>s[g, j] = (base[g, j] + ε) · mean_{i in g} ‖v[g, j] W_i‖₁</code>
/// The first stage keeps the best <c>⌊B/2⌋</c> rows by the base score alone: once they hold more than half of the mass, θ is least
/// when the others are chosen by <c>A_j ‖u_j‖₁</c>.
/// </remarks>
/// <param name="Base">The score of the first stage.</param>
/// <param name="Epsilon">ε, so that rows without attention are still ranked by their norm.</param>
public sealed record CriticalKv(IScore Base, double Epsilon = 1e-4) : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => Base.Needs | ScoreNeeds.Values | ScoreNeeds.OutputProjection;

    /// <inheritdoc/>
    public (int Begin, int Count) Candidates(int length) => Base.Candidates(length);

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x)
    {
        int begin = Candidates(x.Length).Begin;
        double[,] s = Base.Of(x);
        double[,] norms = ProjectedNorms(x.Values, x.OutputProjection);
        return Arrays.Table(s.GetLength(0), s.GetLength(1), (g, j) => (s[g, j] + Epsilon) * norms[g, begin + j]);
    }

    /// <summary><c>mean_{i in g} ‖v[g, j] W_i‖₁</c>, <c>[kv, T]</c>.</summary>
    public static double[,] ProjectedNorms(double[,,] v, double[,] wo)
    {
        double[,,] u = EvictionLoss.Contributions(v, wo);
        double[,] norms = Arrays.Table(
            u.GetLength(0), u.GetLength(1), (i, j) => Enumerable.Range(0, u.GetLength(2)).Sum(c => Math.Abs(u[i, j, c])));
        return Arrays.GroupMean(norms, v.GetLength(0));
    }

    /// <summary>One head's kept rows, ascending: the first stage's by <paramref name="first"/>, the others by <paramref name="second"/>.</summary>
    /// <param name="first">Scores of the first stage.</param>
    /// <param name="second">Scores of the second stage.</param>
    /// <param name="keep">B, rows kept.</param>
    /// <param name="firstStage">Rows that the first stage keeps, at most B.</param>
    public static int[] Rows(float[] first, float[] second, int keep, int firstStage)
    {
        int[] best = [.. Allocation.Order([first]).Take(firstStage).Select(e => e.Position)];
        IEnumerable<int> rest = Allocation.Order([second]).Select(e => e.Position).Except(best);
        return [.. best.Concat(rest).Take(keep).Order()];
    }
}
