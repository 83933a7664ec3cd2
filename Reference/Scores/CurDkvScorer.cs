using KvIL.Eviction.Scores;
using KvIL.Reference.Simd;

namespace KvIL.Reference.Scores;

/// <summary><c>s[j] = k̂_j v̂_j / Σ k̂ v̂</c>, each squared norm as a share of its window's.</summary>
internal sealed class CurDkvScorer(CurDkvScore rule) : RuleScorer(rule)
{
    private readonly int _local = rule.Local;

    /// <inheritdoc/>
    public override void Score(ScoreView x) => x.ForEach(x.KvHeads, g =>
    {
        double[] keys = Squares(x.Keys(g), x.HeadDim), values = Squares(x.Values(g), x.HeadDim);
        for (int first = 0; _local > 0 && first < keys.Length; first += _local)
        {
            int count = Math.Min(_local, keys.Length - first);
            Share(keys.AsSpan(first, count));
            Share(values.AsSpan(first, count));
        }

        for (int j = 0; j < keys.Length; j++) keys[j] *= values[j];
        Share(keys);
        Span<float> scores = x.Scores(g);
        for (int j = 0; j < keys.Length; j++) scores[j] = (float)keys[j];
    });

    private static double[] Squares(ReadOnlySpan<float> rows, int d)
    {
        double[] squares = new double[rows.Length / d];
        for (int j = 0; j < squares.Length; j++) squares[j] = RealLanes.Dot(RealLanes.Row(rows, j, d), RealLanes.Row(rows, j, d));
        return squares;
    }

    private static void Share(Span<double> x)
    {
        double sum = 0;
        foreach (double y in x) sum += y;
        foreach (ref double y in x) y /= sum;
    }
}
