using KvIL.Eviction.Scores;
using KvIL.Reference.Simd;

namespace KvIL.Reference.Scores;

/// <summary>The mean rotation R̄ of the positions to come, and statistics of the queries before RoPE under it.</summary>
/// <remarks><c>R̄ = m · mean of R(p), p = T … T + n − 1</c>: for channels f and f + F a factor c_f and a turn s_f, which are no rotation themselves.</remarks>
internal sealed class MeanRotation
{
    private readonly ScoreView _x;
    private readonly double[] _cos;
    private readonly double[] _sin;

    /// <summary>R̄ of the next <paramref name="future"/> positions.</summary>
    public MeanRotation(ScoreView x, int future)
    {
        Rotary rotary = x.Rotary;
        int frequencies = rotary.Frequencies.Length;
        (_x, _cos, _sin) = (x, new double[frequencies], new double[frequencies]);
        x.ForEach(frequencies, f =>
        {
            for (int n = 0; n < future; n++)
            {
                (double sin, double cos) = Math.SinCos((x.Tokens + (double)n) * rotary.Frequencies[f]);
                (_cos[f], _sin[f]) = (_cos[f] + cos, _sin[f] + sin);
            }

            (_cos[f], _sin[f]) = (rotary.Factor * _cos[f] / future, rotary.Factor * _sin[f] / future);
        });
    }

    /// <summary>Queries of a head before RoPE at positions after the sinks, <c>[n, d]</c>.</summary>
    public ReadOnlySpan<float> Queries(int queryHead)
    {
        int sinks = Math.Clamp(_x.Sinks - (_x.Tokens - _x.Queries), 0, _x.Queries);
        return _x.PreRopeQueriesOf(queryHead)[(sinks * _x.HeadDim)..];
    }

    /// <summary>Mean of rows, <c>[d]</c>; 0 where there are none.</summary>
    public static double[] Mean(ReadOnlySpan<float> rows, int d)
    {
        double[] mean = new double[d];
        int n = rows.Length / d;
        for (int t = 0; t < n; t++) RealLanes.Add(1, RealLanes.Row(rows, t, d), mean);
        for (int c = 0; c < d && n > 0; c++) mean[c] /= n;
        return mean;
    }

    /// <summary><c>R̄ x</c> in place.</summary>
    public void Turn(Span<double> x)
    {
        for (int f = 0; f < _cos.Length; f++) (x[f], x[_cos.Length + f]) = Turned(x[f], x[_cos.Length + f], f);
    }

    /// <summary><c>R̄ Σ R̄ᵀ</c> in place.</summary>
    public void Turn(RealMatrix sigma)
    {
        int half = _cos.Length;
        for (int c = 0; c < sigma.Size; c++)
        {
            for (int f = 0; f < half; f++) (sigma[f, c], sigma[half + f, c]) = Turned(sigma[f, c], sigma[half + f, c], f);
        }

        for (int r = 0; r < sigma.Size; r++)
        {
            for (int f = 0; f < half; f++) (sigma[r, f], sigma[r, half + f]) = Turned(sigma[r, f], sigma[r, half + f], f);
        }
    }

    private (double, double) Turned(double a, double b, int f) => ((a * _cos[f]) - (b * _sin[f]), (b * _cos[f]) + (a * _sin[f]));
}
