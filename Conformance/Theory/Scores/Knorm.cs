using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>Knorm, or L2Norm: keys of small norm are attended to most.</summary>
/// <remarks>Devoto et al. (arXiv:2406.11430): <c>s[g, j] = −‖k[g, j]‖₂</c>, keys as cached.</remarks>
public sealed record Knorm : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.Keys;

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x) =>
        Arrays.Table(x.KvHeads, x.Length, (g, j) => -Arrays.Norm(Arrays.Vector(x.Keys, g, j)));
}
