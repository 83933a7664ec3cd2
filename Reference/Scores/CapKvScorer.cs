using KvIL.Eviction;
using KvIL.Eviction.Scores;
using KvIL.Reference.Simd;

namespace KvIL.Reference.Scores;

/// <summary>Ridge leverage of the values, weighted by how near their keys are to the mean query <c>a_i = R̄ μ_i</c> of each head.</summary>
/// <remarks>
/// <code>
/// w[i, j] = exp( τ cos(a_i, k_j) − max_j τ cos(a_i, k_j) )
/// s[g, j] = mean_{i in g} w[i, j] · v_jᵀ ( I + Σ_j (w[i, j] + ε) v_j v_jᵀ )⁻¹ v_j        ε = 10⁻⁶
/// </code>
/// Rows and queries before the sinks' end are left out of everything. What has length 0 has no direction: its cosine is 0.
/// </remarks>
internal sealed class CapKvScorer(CapKvScore rule) : RuleScorer(rule)
{
    private const double Epsilon = 1e-6;

    private readonly double _tau = rule.Tau.Numerator / (double)rule.Tau.Denominator;
    private readonly int _future = rule.Future;

    /// <inheritdoc/>
    public override void Score(ScoreView x)
    {
        MeanRotation rotation = new(x, _future);
        RowScores.Write(x, RowScores.GroupMean(x, RowScores.Of(x, x.QueryHeads, i => Leverage(x, rotation, i))));
    }

    private double[] Leverage(ScoreView x, MeanRotation rotation, int queryHead)
    {
        int d = x.HeadDim, g = x.KvHead(queryHead), rows = x.Rows(g), begin = ProtectedRows.Sinks(rows, x.Sinks, 0);
        double[] anchor = MeanRotation.Mean(rotation.Queries(queryHead), d);
        rotation.Turn(anchor);
        double[] weights = Weights(anchor, x.Keys(g)[(begin * d)..], d), s = new double[rows];

        ReadOnlySpan<float> values = x.Values(g)[(begin * d)..];
        RealMatrix capacity = new(d);
        double[] shifted = [.. weights.Select(w => w + Epsilon)];
        capacity.AddOuterProducts(values, [], shifted);
        for (int c = 0; c < d; c++) capacity[c, c]++;
        capacity.InverseForms(values, [], s.AsSpan(begin));
        for (int j = 0; j < weights.Length; j++) s[begin + j] *= weights[j];
        return s;
    }

    private double[] Weights(double[] anchor, ReadOnlySpan<float> keys, int d)
    {
        double[] w = new double[keys.Length / d];
        double squares = 0, largest = double.NegativeInfinity;
        foreach (double a in anchor) squares += a * a;
        for (int j = 0; j < w.Length; j++)
        {
            ReadOnlySpan<float> key = RealLanes.Row(keys, j, d);
            double lengths = Math.Sqrt(squares) * RealLanes.Norm(key);
            w[j] = lengths == 0 ? 0 : _tau * RealLanes.Dot(anchor, key) / lengths;
            largest = Math.Max(largest, w[j]);
        }

        for (int j = 0; j < w.Length; j++) w[j] = Math.Exp(w[j] - largest);
        return w;
    }
}
