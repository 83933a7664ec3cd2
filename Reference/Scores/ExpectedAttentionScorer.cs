using KvIL.Eviction;
using KvIL.Eviction.Scores;
using KvIL.Reference.Simd;

namespace KvIL.Reference.Scores;

/// <summary><c>z_j = μ̃·k_j/√d + k_jᵀ Σ̃ k_j/(2d)</c>, μ̃ = R̄ μ and Σ̃ = R̄ Σ R̄ᵀ of the queries before RoPE: no product of a query and a key is made.</summary>
/// <remarks>Without a query at hand after the sinks all logits are 0.</remarks>
internal sealed class ExpectedAttentionScorer(ExpectedAttentionScore rule) : RuleScorer(rule)
{
    private readonly double _epsilon = rule.Epsilon.Numerator / (double)rule.Epsilon.Denominator;
    private readonly int _future = rule.Future;

    /// <inheritdoc/>
    public override void Score(ScoreView x)
    {
        MeanRotation rotation = new(x, _future);
        double[][] s = RowScores.GroupMean(x, RowScores.Of(x, x.QueryHeads, i => Expected(x, rotation, i)));
        x.ForEach(x.KvHeads, g =>
        {
            ReadOnlySpan<float> values = x.Values(g);
            for (int j = 0; j < s[g].Length; j++) s[g][j] = (s[g][j] + _epsilon) * RealLanes.Norm(RealLanes.Row(values, j, x.HeadDim));
        });
        RowScores.Write(x, s);
    }

    private static double[] Expected(ScoreView x, MeanRotation rotation, int queryHead)
    {
        (int d, int g) = (x.HeadDim, x.KvHead(queryHead));
        ReadOnlySpan<float> queries = rotation.Queries(queryHead);
        double[] mean = MeanRotation.Mean(queries, d);
        RealMatrix sigma = new(d);
        sigma.AddOuterProducts(queries, mean, []);
        rotation.Turn(mean);
        rotation.Turn(sigma);

        int rows = x.Rows(g), begin = ProtectedRows.Sinks(rows, x.Sinks, 0), count = Math.Max(queries.Length / d, 1);
        ReadOnlySpan<float> keys = x.Keys(g)[(begin * d)..];
        double[] s = new double[rows];
        Span<double> z = s.AsSpan(begin);
        sigma.Forms(keys, z);
        for (int j = 0; j < z.Length; j++)
        {
            z[j] = (RealLanes.Dot(mean, RealLanes.Row(keys, j, d)) / Math.Sqrt(d)) + (z[j] / count / (2 * d));
        }

        RowScores.Softmax(z);
        return s;
    }
}
