using KvIL.Eviction.Scores;
using KvIL.Reference.Simd;

namespace KvIL.Reference.Scores;

/// <summary><c>s[g, j] = −cos(k_j, Σ_j k_j/‖k_j‖)</c>; a key of length 0 has no direction and scores 0.</summary>
internal sealed class KeyDiffScorer(KeyDiffScore rule) : RuleScorer(rule)
{
    /// <inheritdoc/>
    public override void Score(ScoreView x) => x.ForEach(x.KvHeads, g =>
    {
        int d = x.HeadDim;
        ReadOnlySpan<float> keys = x.Keys(g);
        Span<float> scores = x.Scores(g);
        double[] inverse = new double[scores.Length], anchor = new double[d];
        for (int j = 0; j < inverse.Length; j++)
        {
            inverse[j] = Inverse(RealLanes.Norm(RealLanes.Row(keys, j, d)));
            RealLanes.Add(inverse[j], RealLanes.Row(keys, j, d), anchor);
        }

        double sum = 0;
        foreach (double a in anchor) sum += a * a;
        double length = Inverse(Math.Sqrt(sum));
        for (int j = 0; j < inverse.Length; j++)
        {
            scores[j] = (float)(-RealLanes.Dot(anchor, RealLanes.Row(keys, j, d)) * inverse[j] * length);
        }
    });

    private static double Inverse(double norm) => norm == 0 ? 0 : 1 / norm;
}
