using KvIL.Eviction;
using KvIL.Eviction.Scores;
using static KvIL.Conformance.Theory.Arrays;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>Expected attention: what queries to come would give a key, were they normal with the statistics of those seen.</summary>
/// <remarks>
/// Expected Attention (arXiv:2510.00636); kvpress, <c>ExpectedAttentionPress</c>. With q̃_t = R̄ q_t the pre-RoPE queries after
/// the sinks under the mean rotation R̄ of the next positions:
/// <code>
/// z[i, j] = mean_t(q̃_t · k_j)/√d + var_t(q̃_t · k_j)/(2d)        var with 1/n: k_jᵀ Σ k_j
/// s[g, j] = ( mean_{i in g} softmax_j z[i, j] + ε ) · ‖v[g, j]‖₂
/// </code>
/// </remarks>
/// <param name="Sinks">First rows: left out of the statistics, and kept.</param>
/// <param name="Future">Positions that R̄ is the mean of, from T on.</param>
/// <param name="Covariance">Whether the second term is there.</param>
/// <param name="ValueNorm">Whether ε and the norm of the values are there.</param>
/// <param name="Epsilon">ε.</param>
/// <param name="Theta">RoPE base.</param>
public sealed record ExpectedAttention(
    int Sinks = 4, int Future = 512, bool Covariance = true, bool ValueNorm = true, double Epsilon = 0, double Theta = 10_000) : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs =>
        ScoreNeeds.PreRopeQueries | ScoreNeeds.Keys | (ValueNorm ? ScoreNeeds.Values : ScoreNeeds.None);

    /// <inheritdoc/>
    public (int Begin, int Count) Candidates(int length) =>
        (ProtectedRows.Sinks(length, Sinks, 0), ProtectedRows.Candidates(length, Sinks, 0));

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x)
    {
        (int begin, int count) = Candidates(x.Length);
        int heads = x.PreRopeQueries.GetLength(0);
        int d = x.Keys.GetLength(2);
        double[,] p = new double[heads, count];
        for (int i = 0; i < heads; i++)
        {
            double[][] queries = MeanTurned(x, i);
            double Logit(int j)
            {
                double[] products = [.. queries.Select(q => Dot(q, Vector(x.Keys, i / (heads / x.KvHeads), begin + j)))];
                double mean = products.Average();
                double variance = Covariance ? products.Average(y => (y - mean) * (y - mean)) : 0;
                return (mean / Math.Sqrt(d)) + (variance / (2 * d));
            }

            double[] row = WindowScores.Softmax([.. Enumerable.Range(0, count).Select(Logit)]);
            for (int j = 0; j < count; j++) p[i, j] = row[j];
        }

        double[,] s = GroupMean(p, x.KvHeads);
        return ValueNorm ? Table(x.KvHeads, count, (g, j) => (s[g, j] + Epsilon) * Norm(Vector(x.Values, g, begin + j))) : s;
    }

    /// <summary>q̃_t of one query head, t from the first position after the sinks; a single 0 where no such query is at hand.</summary>
    /// <remarks>Where RoPE has a factor, which queries and keys carry, R̄ has it too.</remarks>
    public double[][] MeanTurned(ScoreInputs x, int head)
    {
        double[][] all = Vectors(x.PreRopeQueries, head, Math.Clamp(Sinks - x.Oldest, 0, x.AtHand));
        int d = x.PreRopeQueries.GetLength(2);
        if (all.Length == 0) return [new double[d]];
        double factor = x.Rotary?.Factor ?? 1;
        IReadOnlyList<double> frequencies = x.Rotary is Rotary r ? r.Frequencies : Rotation.Frequencies(d, Theta);
        return [.. Rotation.MeanTurn(all, x.Tokens, Future, frequencies).Select(q => TurnedTimes(q, factor, 2 * frequencies.Count))];
    }

    private static double[] TurnedTimes(double[] q, double factor, int turned) => [.. q.Select((y, c) => c < turned ? factor * y : y)];
}
