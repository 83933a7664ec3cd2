using KvIL.Eviction;
using KvIL.Eviction.Scores;

namespace KvIL.Reference.Scores;

/// <summary><see cref="RandomScore"/> of head and position.</summary>
internal sealed class RandomRowsScorer(RandomRowsScore rule) : RuleScorer(rule)
{
    private readonly ulong _seed = (ulong)rule.Seed;

    /// <inheritdoc/>
    public override void Score(ScoreView x)
    {
        for (int g = 0; g < x.KvHeads; g++)
        {
            Span<float> scores = x.Scores(g);
            for (int j = 0; j < scores.Length; j++) scores[j] = RandomScore.Of(_seed, g, x.Positions(g)[j]);
        }
    }
}
