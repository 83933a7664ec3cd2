using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>Q-Filters: keys along a direction that the head's queries avoid are dropped.</summary>
/// <remarks>
/// Q-Filters (arXiv:2503.02812): <c>s[g, j] = −f_g · k[g, j]</c>, f_g found beforehand as the main direction of the head's queries,
/// with its sign such that queries point against it (<see cref="Direction"/>).
/// </remarks>
public sealed record QFilter : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.Keys | ScoreNeeds.Calibration;

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x) => Arrays.Table(
        x.KvHeads, x.Length, (g, j) => -Arrays.Dot(Arrays.Row(x.Calibration, g), Arrays.Vector(x.Keys, g, j)));

    /// <summary>f_g of the queries of a group: the first right singular vector of <c>Q</c>, against the mean query. 0 where all queries are.</summary>
    public static double[] Direction(double[][] queries)
    {
        int d = queries[0].Length;
        double[,] gram = Arrays.Table(d, d, (a, b) => queries.Sum(q => q[a] * q[b]));
        (double[] values, double[][] vectors) = Arrays.Eigen(gram);
        int first = Enumerable.Range(0, d).MaxBy(c => values[c]);
        if (values[first] <= 0) return new double[d];
        return Arrays.Dot(Arrays.Mean(queries), vectors[first]) > 0 ? [.. vectors[first].Select(y => -y)] : vectors[first];
    }
}
