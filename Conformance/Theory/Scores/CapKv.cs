using KvIL.Eviction;
using static KvIL.Conformance.Theory.Arrays;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>CapKV: ridge leverage of the values, weighted by how near their keys are to the queries seen.</summary>
/// <remarks>
/// CapKV (arXiv:2604.25975); kvpress, <c>CapPress</c>. With anchor a_i the mean of the pre-RoPE queries after the sinks under the mean rotation of the next
/// positions (<see cref="ExpectedAttention.MeanTurned"/>):
/// <code>
/// w[i, j] = exp( τ cos(a_i, k_j) − max_j τ cos(a_i, k_j) )
/// s[g, j] = mean_{i in g} w[i, j] · v_jᵀ ( I + Σ_j (w[i, j] + ε) v_j v_jᵀ )⁻¹ v_j
/// </code>
/// </remarks>
/// <param name="Sinks">First rows: left out of everything, and kept.</param>
/// <param name="Tau">τ.</param>
/// <param name="Future">Positions that the rotation is the mean of.</param>
/// <param name="Epsilon">ε.</param>
/// <param name="Theta">RoPE base.</param>
public sealed record CapKv(int Sinks = 4, double Tau = 5, int Future = 512, double Epsilon = 1e-6, double Theta = 10_000) : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.PreRopeQueries | ScoreNeeds.Keys | ScoreNeeds.Values;

    /// <inheritdoc/>
    public (int Begin, int Count) Candidates(int length) =>
        (ProtectedRows.Sinks(length, Sinks, 0), ProtectedRows.Candidates(length, Sinks, 0));

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x)
    {
        (int begin, int count) = Candidates(x.Length);
        int heads = x.PreRopeQueries.GetLength(0);
        double[][] s = [.. Enumerable.Range(0, heads).Select(i => HeadScores(x, i, i / (heads / x.KvHeads), begin))];
        return GroupMean(Table(heads, count, (i, j) => s[i][j]), x.KvHeads);
    }

    private double[] HeadScores(ScoreInputs x, int i, int g, int begin)
    {
        double[] anchor = Unit(Mean(new ExpectedAttention(Sinks, Future, Theta: Theta).MeanTurned(x, i)));
        double[] cosines = [.. Vectors(x.Keys, g, begin).Select(k => Dot(anchor, Unit(k)))];
        double[] w = [.. cosines.Select(c => Math.Exp(Tau * (c - cosines.Max())))];
        double[][] v = Vectors(x.Values, g, begin);
        int d = v[0].Length;
        double[,] capacity = Table(d, d, (a, b) => (a == b ? 1 : 0) + v.Select((y, j) => (w[j] + Epsilon) * y[a] * y[b]).Sum());
        return [.. InverseForms(capacity, v).Select((leverage, j) => w[j] * leverage)];
    }
}
