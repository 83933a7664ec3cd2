using KvIL.Eviction.Scores;

namespace KvIL.Reference.Scores;

/// <summary><c>s[g, j] = mean over all query heads of a[i, T − 1, ·]</c> at the position of row j; heads that have no row there give 0.</summary>
internal sealed class TovaScorer(TovaScore rule) : RuleScorer(rule)
{
    /// <inheritdoc/>
    public override void Score(ScoreView x)
    {
        if (x.Queries == 0) return;
        double[][] sums = RowScores.Of(x, x.KvHeads, g => GroupSum(x, g));
        for (int g = 0; g < x.KvHeads; g++)
        {
            double[] s = new double[x.Rows(g)];
            for (int other = 0; other < x.KvHeads; other++) AddAtPositions(x.Positions(g), x.Positions(other), sums[other], s);
            Span<float> scores = x.Scores(g);
            for (int j = 0; j < s.Length; j++) scores[j] = (float)(s[j] / x.QueryHeads);
        }
    }

    private static double[] GroupSum(ScoreView x, int g)
    {
        int group = x.QueryHeads / x.KvHeads;
        double[] sum = new double[x.Rows(g)];
        float[] attention = new float[sum.Length];
        for (int i = g * group; i < (g + 1) * group; i++)
        {
            x.Attention(i, x.Queries - 1, attention);
            for (int j = 0; j < sum.Length; j++) sum[j] += attention[j];
        }

        return sum;
    }

    // Both ascend.
    private static void AddAtPositions(ReadOnlySpan<int> to, ReadOnlySpan<int> from, double[] values, double[] sum)
    {
        int k = 0;
        for (int j = 0; j < to.Length; j++)
        {
            while (k < from.Length && from[k] < to[j]) k++;
            if (k < from.Length && from[k] == to[j]) sum[j] += values[k];
        }
    }
}
