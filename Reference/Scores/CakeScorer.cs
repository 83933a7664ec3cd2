using KvIL.Eviction;
using KvIL.Eviction.Scores;

namespace KvIL.Reference.Scores;

/// <summary><c>s[g, j] = mean_{i in g} pool_j( mean_t a[i, t, j] + γ var_t a[i, t, j] )</c> for the rows before the protected last ones.</summary>
internal sealed class CakeScorer(CakeScore rule) : RuleScorer(rule)
{
    private readonly double _gamma = rule.Gamma.Numerator / (double)rule.Gamma.Denominator;
    private readonly int _kernel = rule.Kernel;

    /// <inheritdoc/>
    public override void Score(ScoreView x) => RowScores.Write(x, RowScores.GroupMean(x, RowScores.Of(x, x.QueryHeads, i =>
    {
        int rows = x.Rows(x.KvHead(i)), scored = rows - ProtectedRows.Window(rows, x.Window);
        AttentionMoments moments = AttentionMoments.Of(x, i);
        double[] s = new double[rows];
        for (int j = 0; j < scored; j++) s[j] = moments.Mean(j) + (_gamma * moments.Variance(j));
        return RowScores.Pool(s, scored, _kernel);
    })));
}
