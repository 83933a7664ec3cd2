using KvIL.Eviction;
using KvIL.Eviction.Scores;
using KvIL.Reference.Simd;

namespace KvIL.Reference.Scores;

/// <summary>Rows after the sinks in blocks of <c>lag</c>, each measured by the ranges of the next; the rank in the block is the score.</summary>
/// <remarks>
/// For x = k and x = v, block b, channel c:
/// <code>
/// x̂[j, c] = (x[j, c] − min_{b+1} x[·, c]) / (max_{b+1} x[·, c] − min_{b+1} x[·, c])
/// s_x[j]  = softmax over the block of std_c x̂[j, c]        std with n − 1
/// s[j]    = #{ y in the block : s_k + s_v of y is less } / lag
/// </code>
/// Fewer than <c>sinks + 2 lag</c> rows: <c>s[j] = (j − sinks)/(n − sinks)</c>.
/// </remarks>
internal sealed class LagKvScorer(LagKvScore rule) : RuleScorer(rule)
{
    private readonly int _lag = rule.Lag;

    /// <inheritdoc/>
    public override void Score(ScoreView x) => x.ForEach(x.KvHeads, g =>
    {
        int rows = x.Rows(g), begin = ProtectedRows.Sinks(rows, x.Sinks, 0);
        Span<float> scores = x.Scores(g);
        if (rows < x.Sinks + (2L * _lag))
        {
            for (int j = begin; j < rows; j++) scores[j] = (float)((j - begin) / (double)(rows - begin));
            return;
        }

        double[] mean = new double[_lag];
        for (int first = begin; first + (2L * _lag) <= rows; first += _lag)
        {
            Array.Clear(mean);
            AddBlock(x.Keys(g), first, x.HeadDim, mean);
            AddBlock(x.Values(g), first, x.HeadDim, mean);
            for (int j = 0; j < _lag; j++) scores[first + j] = (float)(Below(mean, mean[j]) / (double)_lag);
        }
    });

    private void AddBlock(ReadOnlySpan<float> rows, int first, int d, double[] mean)
    {
        float[] least = RealLanes.Row(rows, first + _lag, d).ToArray(), largest = [.. least];
        for (int j = first + _lag; j < first + (2 * _lag); j++)
        {
            ReadOnlySpan<float> row = RealLanes.Row(rows, j, d);
            for (int c = 0; c < d; c++) (least[c], largest[c]) = (Math.Min(least[c], row[c]), Math.Max(largest[c], row[c]));
        }

        double[] spread = new double[_lag];
        for (int j = 0; j < _lag; j++) spread[j] = Deviation(RealLanes.Row(rows, first + j, d), least, largest);
        RowScores.Softmax(spread);
        for (int j = 0; j < _lag; j++) mean[j] += spread[j];
    }

    private static double Deviation(ReadOnlySpan<float> row, float[] least, float[] largest)
    {
        Span<double> scaled = stackalloc double[row.Length];
        double sum = 0, squares = 0;
        for (int c = 0; c < row.Length; c++) sum += scaled[c] = ((double)row[c] - least[c]) / ((double)largest[c] - least[c]);
        foreach (double y in scaled) squares += (y - (sum / row.Length)) * (y - (sum / row.Length));
        return Math.Sqrt(squares / (row.Length - 1));
    }

    private static int Below(double[] mean, double value)
    {
        int count = 0;
        foreach (double y in mean) count += y < value ? 1 : 0;
        return count;
    }
}
