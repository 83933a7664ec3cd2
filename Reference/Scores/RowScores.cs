using KvIL.Eviction.Scores;

namespace KvIL.Reference.Scores;

/// <summary>Scores of rows in double, one array a head, on their way to <see cref="ScoreView.Scores"/>.</summary>
internal static class RowScores
{
    /// <summary><c>s[i] = score(i)</c> for i from 0 to <paramref name="heads"/> − 1, on all threads.</summary>
    public static double[][] Of(ScoreView x, int heads, Func<int, double[]> score)
    {
        double[][] s = new double[heads][];
        x.ForEach(heads, i => s[i] = score(i));
        return s;
    }

    /// <summary>KV head of a query head.</summary>
    public static int KvHead(this ScoreView x, int queryHead) => queryHead / (x.QueryHeads / x.KvHeads);

    /// <summary>Scores of query heads, <c>mean_{i in g}</c> in ascending i.</summary>
    public static double[][] GroupMean(ScoreView x, double[][] s)
    {
        int group = x.QueryHeads / x.KvHeads;
        double[][] mean = new double[x.KvHeads][];
        for (int g = 0; g < mean.Length; g++)
        {
            mean[g] = new double[x.Rows(g)];
            for (int i = g * group; i < (g + 1) * group; i++)
            {
                for (int j = 0; j < mean[g].Length; j++) mean[g][j] += s[i][j];
            }

            for (int j = 0; j < mean[g].Length; j++) mean[g][j] /= group;
        }

        return mean;
    }

    /// <summary><c>(s − mean)/σ</c> over all heads and rows, with the n − 1 variance and σ at least 1e-6.</summary>
    public static void ZNormalise(double[][] s)
    {
        (double sum, double squares, long count) = (0, 0, 0);
        foreach (double[] head in s)
        {
            foreach (double y in head) sum += y;
            count += head.Length;
        }

        double mean = sum / count;
        foreach (double[] head in s)
        {
            foreach (double y in head) squares += (y - mean) * (y - mean);
        }

        double deviation = Math.Max(count < 2 ? 0 : Math.Sqrt(squares / (count - 1)), 1e-6);
        foreach (double[] head in s)
        {
            foreach (ref double y in head.AsSpan()) y = (y - mean) / deviation;
        }
    }

    /// <summary>Average pooling over <paramref name="count"/> entries; beyond the ends 0, and the divisor stays the kernel.</summary>
    public static double[] Pool(ReadOnlySpan<double> s, int count, int kernel)
    {
        double[] pooled = new double[s.Length];
        for (int j = 0; j < count; j++)
        {
            for (int near = Math.Max(0, j - (kernel / 2)); near <= Math.Min(count - 1, j + (kernel / 2)); near++) pooled[j] += s[near];
            pooled[j] /= kernel;
        }

        return pooled;
    }

    /// <summary>Rounds to the view's scores.</summary>
    public static void Write(ScoreView x, double[][] s)
    {
        for (int g = 0; g < s.Length; g++)
        {
            Span<float> scores = x.Scores(g);
            for (int j = 0; j < scores.Length; j++) scores[j] = (float)s[g][j];
        }
    }

    /// <summary><c>softmax(x)</c> in place, over what is given.</summary>
    public static void Softmax(Span<double> x)
    {
        double maximum = double.NegativeInfinity, sum = 0;
        foreach (double y in x) maximum = Math.Max(maximum, y);
        foreach (ref double y in x) sum += y = Math.Exp(y - maximum);
        foreach (ref double y in x) y /= sum;
    }
}
