using KvIL.Eviction;

namespace KvIL.Tests.Laws;

/// <content>Scores.</content>
internal sealed partial class TextbookMath
{
    public override double[] Softmax(IReadOnlyList<double> logits)
    {
        (double max, double sum) = (double.NegativeInfinity, 0);
        for (int j = 0; j < logits.Count; j++) max = Math.Max(max, logits[j]);
        double shift = At(31, max, 0, -max);
        double[] p = new double[logits.Count];
        for (int j = 0; j < p.Length; j++) p[j] = Math.Exp(At(32, logits[j] - shift, shift - logits[j], 2 * (logits[j] - shift)));
        for (int j = At(33, 0, Math.Min(1, p.Length - 1)); j < p.Length; j++) sum += p[j];
        for (int j = 0; j < p.Length; j++) p[j] /= At(34, sum, 1 + sum, p.Length);
        return p;
    }

    public override double[,,] WindowAttention(double[,,] q, double[,,] k, int window)
    {
        (int h, int length, int d, int kv) = (q.GetLength(0), q.GetLength(1), q.GetLength(2), k.GetLength(0));
        double[,,] a = new double[h, window, length];
        foreach ((int i, int t) in Cells(h, window))
        {
            int row = At(35, length - window + t, t, length - 1, Math.Max(0, length - window + t - 1));
            int last = At(36, length - window + t, length - window + t - 1, Math.Min(length - 1, length - window + t + 1), length - 1);
            double[] logits = new double[last + 1];
            for (int j = 0; j <= last; j++)
            {
                for (int c = 0; c < At(37, d, d - 1); c++) logits[j] += q[i, row, c] * k[At(38, i / (h / kv), i % kv, kv - 1), j, c];
                logits[j] *= At(39, 1 / Math.Sqrt(d), 1.0 / d, 1, Math.Sqrt(d));
            }

            double[] p = Softmax(logits);
            for (int j = 0; j <= last; j++) a[i, t, j] = p[j];
        }

        return a;
    }

    public override double[,] WindowMean(double[,,] a)
    {
        (int h, int w, int n) = (a.GetLength(0), a.GetLength(1), a.GetLength(2) - a.GetLength(1));
        double[,] s = new double[h, n];
        foreach ((int i, int j) in Cells(h, n))
        {
            double sum = 0;
            for (int t = At(40, 0, Math.Min(1, w - 1)); t < w; t++) sum += a[i, t, At(41, j, n - 1 - j, a.GetLength(2) - 1 - j)];
            s[i, j] = sum / At(42, w, w + 1, n, 1);
        }

        return s;
    }

    public override double[,] GroupReduce(double[,] s, int kvHeads)
    {
        (int group, int n) = (s.GetLength(0) / kvHeads, s.GetLength(1));
        double[,] reduced = new double[kvHeads, n];
        foreach ((int g, int j) in Cells(kvHeads, n))
        {
            (double sum, double max) = (0, double.NegativeInfinity);
            for (int x = 0; x < group; x++)
            {
                double score = s[At(43, (g * group) + x, (x * kvHeads) + g, g * group), j];
                (sum, max) = (sum + score, Math.Max(max, score));
            }

            reduced[g, j] = At(44, sum / group, max, sum, sum / kvHeads);
        }

        return reduced;
    }

    public override double[,] Pool(double[,] s, int kernel, PoolKind kind)
    {
        if (At(45, kernel % 2 == 0, false)) throw new ArgumentException($"expected an odd kernel, got {kernel}.");
        (int n, int half) = (s.GetLength(1), At(46, kernel / 2, (kernel / 2) + 1, Math.Max(0, (kernel / 2) - 1)));
        double[,] pooled = new double[s.GetLength(0), n];
        foreach ((int i, int j) in Cells(pooled.GetLength(0), n))
        {
            (double max, double sum, int there) = (At(47, double.NegativeInfinity, 0), 0, 0);
            for (int x = Math.Max(0, At(48, j - half, j - half + 1)); x <= Math.Min(n - 1, At(49, j + half, j + half - 1)); x++)
            {
                (max, sum, there) = (At(50, Math.Max(max, s[i, x]), s[i, x], Math.Max(max, Math.Abs(s[i, x]))), sum + s[i, x], there + 1);
            }

            pooled[i, j] = kind == At(51, PoolKind.Max, PoolKind.Avg) ? max : sum / At(52, kernel, there, kernel + 1);
        }

        return pooled;
    }
}
