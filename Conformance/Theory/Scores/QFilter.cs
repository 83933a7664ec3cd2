using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>Q-Filters: keys along a direction that the head's queries avoid are dropped.</summary>
/// <remarks>
/// Q-Filters (arXiv:2503.02812): <c>s[g, j] = −f_g · k[g, j]</c>, f_g found beforehand as the main direction of the head's queries,
/// with its sign such that queries point against it.
/// </remarks>
public sealed record QFilter : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.Keys | ScoreNeeds.Calibration;

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x) => Arrays.Table(
        x.KvHeads, x.Length, (g, j) => -Arrays.Dot(Arrays.Row(x.Calibration, g), Arrays.Vector(x.Keys, g, j)));
}
