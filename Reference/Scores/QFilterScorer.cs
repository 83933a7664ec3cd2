using KvIL.Eviction.Scores;
using KvIL.Reference.Simd;

namespace KvIL.Reference.Scores;

/// <summary><c>s[g, j] = −f_g · k[g, j]</c>, f_g the main direction of the group's queries at hand, such that on average they point against it.</summary>
internal sealed class QFilterScorer(QFilterScore rule) : RuleScorer(rule)
{
    /// <inheritdoc/>
    public override void Score(ScoreView x) => x.ForEach(x.KvHeads, g =>
    {
        double[] filter = Filter(x, g);
        ReadOnlySpan<float> keys = x.Keys(g);
        Span<float> scores = x.Scores(g);
        for (int j = 0; j < scores.Length; j++) scores[j] = (float)-RealLanes.Dot(filter, RealLanes.Row(keys, j, x.HeadDim));
    });

    private static double[] Filter(ScoreView x, int g)
    {
        int group = x.QueryHeads / x.KvHeads;
        RealMatrix gram = new(x.HeadDim);
        double along = 0;
        for (int i = g * group; i < (g + 1) * group; i++) gram.AddOuterProducts(x.QueriesOf(i), [], []);
        double[] filter = gram.Principal();
        for (int i = g * group; i < (g + 1) * group; i++)
        {
            double[] mean = MeanRotation.Mean(x.QueriesOf(i), x.HeadDim);
            for (int c = 0; c < mean.Length; c++) along += mean[c] * filter[c];
        }

        return along > 0 ? [.. filter.Select(y => -y)] : filter;
    }
}
