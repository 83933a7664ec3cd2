using KvIL.Eviction.Scores;
using KvIL.Reference.Simd;

namespace KvIL.Reference.Scores;

/// <summary><c>s[g, j] = mean_{i in g} mean_t p_t a[i, t, j]</c>, p_t the rows that stand before query t.</summary>
internal sealed unsafe class FinchScorer(FinchScore rule) : RuleScorer(rule)
{
    /// <inheritdoc/>
    public override void Score(ScoreView x) => RowScores.Write(x, RowScores.GroupMean(x, RowScores.Of(x, x.QueryHeads, i => Weighted(x, i))));

    private static double[] Weighted(ScoreView x, int queryHead)
    {
        int g = x.KvHead(queryHead);
        double[] sums = new double[x.Rows(g)];
        QueryPanels.Scan(x, queryHead, (first, lanes, begin, end, weights) =>
        {
            ReadOnlySpan<int> positions = x.Positions(g);
            for (int t = 0; t < lanes; t++)
            {
                double before = QueryPanels.UpTo(positions, x.Tokens - x.Queries + first + t - 1);
                for (int j = begin; j < end; j++) sums[j] += before * weights[((long)(j - begin) * Tile.Width) + t];
            }
        });
        for (int j = 0; j < sums.Length; j++) sums[j] /= Math.Max(x.Queries, 1);
        return sums;
    }
}
