using KvIL.Eviction;
using KvIL.Eviction.Scores;

namespace KvIL.Reference.Scores;

/// <summary>The published scores in C#, by their rules.</summary>
internal static class Scorers
{
    /// <summary>The scorer of a rule.</summary>
    public static IScorer Of(ScoreRule rule) => rule switch
    {
        HostScore r => r.Scorer,
        ObservedAttentionScore r => new ObservedAttentionScorer(r),
        TovaScore r => new TovaScorer(r),
        KnormScore r => new KnormScorer(r),
        KeyDiffScore r => new KeyDiffScorer(r),
        ExpectedAttentionScore r => new ExpectedAttentionScorer(r),
        LagKvScore r => new LagKvScorer(r),
        FinchScore r => new FinchScorer(r),
        CakeScore r => new CakeScorer(r),
        CurDkvScore r => new CurDkvScorer(r),
        NonCausalAttentionScore r => new NonCausalAttentionScorer(r),
        LeverageScore r => new LeverageScorer(r),
        CapKvScore r => new CapKvScorer(r),
        QFilterScore r => new QFilterScorer(r),
        PiecesScore r => new PiecesScorer(r),
        BlocksScore r => new BlocksScorer(r),
        RandomRowsScore r => new RandomRowsScorer(r),
        _ => throw new NotSupportedException($"cpu: no scorer of {rule}."),
    };
}

/// <summary>A published score: deterministic, the same bits for any number of threads and at every vector width, since it decides what is kept.</summary>
/// <param name="rule">Its rule, whose record has the equation.</param>
internal abstract class RuleScorer(ScoreRule rule) : IScorer
{
    /// <inheritdoc/>
    public string Name => rule.GetType().Name;

    /// <inheritdoc/>
    public ScoreNeeds Needs => rule.Needs;

    /// <inheritdoc/>
    public abstract void Score(ScoreView x);
}
