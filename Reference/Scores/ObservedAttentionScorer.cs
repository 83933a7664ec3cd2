using KvIL.Eviction.Scores;
using KvIL.Reference.Simd;

namespace KvIL.Reference.Scores;

/// <summary><c>s[g, j] = mean_{i in g} ( Σ_t a[i, t, j] / queries at hand that see row j )</c>; 0 for a row that none sees.</summary>
internal sealed unsafe class ObservedAttentionScorer(ObservedAttentionScore rule) : RuleScorer(rule)
{
    /// <inheritdoc/>
    public override void Score(ScoreView x) => RowScores.Write(x, RowScores.GroupMean(x, RowScores.Of(x, x.QueryHeads, i => PerQuery(x, i))));

    private static double[] PerQuery(ScoreView x, int queryHead)
    {
        ReadOnlySpan<int> positions = x.Positions(x.KvHead(queryHead));
        double[] sums = new double[positions.Length];
        QueryPanels.Scan(x, queryHead, (_, _, begin, end, weights) =>
        {
            for (int j = begin; j < end; j++) sums[j] += QueryPanels.Sum(weights + ((long)(j - begin) * Tile.Width));
        });
        for (int j = 0; j < sums.Length; j++)
        {
            // Queries from the row's own position on, or the next one where only the past is seen, until the model's window has left it behind.
            long last = Math.Min(x.Tokens - 1, positions[j] + (long)x.Rule.WindowOrAll - 1);
            long seen = last - Math.Max(positions[j] + x.Rule.Lag, x.Tokens - x.Queries) + 1;
            sums[j] = seen > 0 ? sums[j] / seen : 0;
        }

        return sums;
    }
}
