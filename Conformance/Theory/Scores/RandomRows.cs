using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>The control: uniform numbers (<see cref="RandomScore"/>).</summary>
/// <param name="Seed">Chooses the numbers.</param>
public sealed record RandomRows(ulong Seed = 0) : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.None;

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x) => Arrays.Table(x.KvHeads, x.Length, (g, j) => RandomScore.Of(Seed, g, j));
}
