using KvIL.Eviction.Scores;
using KvIL.Reference.Simd;

namespace KvIL.Reference.Scores;

/// <summary><c>ℓ[j] = x_jᵀ (XᵀX + λI)⁻¹ x_j</c>, x the keys before RoPE less their mean; <c>s = z(ℓ)</c> over all heads and rows.</summary>
internal sealed class LeverageScorer(LeverageScore rule) : RuleScorer(rule)
{
    private readonly double _jitter = rule.Jitter.Numerator / (double)rule.Jitter.Denominator;

    /// <inheritdoc/>
    public override void Score(ScoreView x)
    {
        double[][] s = RowScores.Of(x, x.KvHeads, g =>
        {
            ReadOnlySpan<float> keys = x.PreRopeKeys(g);
            double[] mean = MeanRotation.Mean(keys, x.HeadDim), leverage = new double[x.Rows(g)];
            RealMatrix gram = new(x.HeadDim);
            gram.AddOuterProducts(keys, mean, []);
            for (int c = 0; c < gram.Size; c++) gram[c, c] += _jitter;
            gram.InverseForms(keys, mean, leverage);
            return leverage;
        });
        RowScores.ZNormalise(s);
        RowScores.Write(x, s);
    }
}
