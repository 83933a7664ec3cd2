using KvIL.Eviction;
using static KvIL.Conformance.Theory.Arrays;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>KeyDiff: keys that point elsewhere than the mean key are kept.</summary>
/// <remarks>KeyDiff (arXiv:2504.15364): <c>anchor[g] = mean_j k[g, j]/‖k[g, j]‖      s[g, j] = −cos(k[g, j], anchor[g])</c>.</remarks>
public sealed record KeyDiff : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.Keys;

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x)
    {
        double[][][] keys = [.. Enumerable.Range(0, x.KvHeads).Select(g => Vectors(x.Keys, g).Select(Unit).ToArray())];
        double[][] anchors = [.. keys.Select(k => Unit(Mean(k)))];
        return Table(x.KvHeads, x.Length, (g, j) => -Dot(keys[g][j], anchors[g]));
    }
}
