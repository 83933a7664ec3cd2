using KvIL.Eviction.Scores;
using KvIL.Reference.Simd;

namespace KvIL.Reference.Scores;

/// <summary><c>s[g, j] = −‖k[g, j]‖₂</c>.</summary>
internal sealed class KnormScorer(KnormScore rule) : RuleScorer(rule)
{
    /// <inheritdoc/>
    public override void Score(ScoreView x) => x.ForEach(x.KvHeads, g =>
    {
        Span<float> scores = x.Scores(g);
        for (int j = 0; j < scores.Length; j++) scores[j] = (float)-RealLanes.Norm(RealLanes.Row(x.Keys(g), j, x.HeadDim));
    });
}
