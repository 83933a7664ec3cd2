namespace KvIL.Conformance.Theory;

/// <summary>Rotary positions by definition, in the layout that pairs dimension f with f + d/2.</summary>
/// <remarks>
/// <code>ω_f = θ^(−2f/d)      (x R_p)_f = x_f cos pω_f − x_{f+d/2} sin pω_f      (x R_p)_{f+d/2} = x_{f+d/2} cos pω_f + x_f sin pω_f</code>
/// </remarks>
public static class Rotation
{
    /// <summary><c>x</c> turned by <paramref name="positions"/> places; a negative number turns back.</summary>
    public static double[] Turn(double[] x, double positions, double theta) =>
        Apply(x, f => Math.Cos(positions * Frequency(x, f, theta)), f => Math.Sin(positions * Frequency(x, f, theta)));

    /// <summary>
    /// Vectors under the mean of the rotations by <c>first … first + count − 1</c> places, which is no rotation itself.
    /// </summary>
    public static double[][] MeanTurn(double[][] x, int first, int count, double theta)
    {
        double Mean(int f, Func<double, double> wave) =>
            Enumerable.Range(first, count).Average(p => wave(p * Frequency(x[0], f, theta)));
        double[] cos = [.. Enumerable.Range(0, x[0].Length / 2).Select(f => Mean(f, Math.Cos))];
        double[] sin = [.. Enumerable.Range(0, x[0].Length / 2).Select(f => Mean(f, Math.Sin))];
        return [.. x.Select(row => Apply(row, f => cos[f], f => sin[f]))];
    }

    /// <summary>
    /// Keys of a compacted head as if its rows had always been neighbours: row r, from position p_r, is turned by <c>r − p_r</c>.
    /// </summary>
    /// <remarks>kvpress, <c>KeyRerotationPress</c>: what StreamingLLM's positions inside the cache mean for rotated keys.</remarks>
    /// <param name="keys">Keys after RoPE at their own positions, <c>[rows, d]</c>.</param>
    /// <param name="positions">p_r, ascending.</param>
    /// <param name="theta">θ.</param>
    public static double[][] Rerotated(double[][] keys, int[] positions, double theta) =>
        [.. keys.Select((k, row) => Turn(k, row - positions[row], theta))];

    private static double Frequency(double[] x, int f, double theta) => Math.Pow(theta, -2.0 * f / x.Length);

    private static double[] Apply(double[] x, Func<int, double> cos, Func<int, double> sin)
    {
        int half = x.Length / 2;
        double[] y = new double[x.Length];
        for (int f = 0; f < half; f++)
        {
            (double c, double s) = (cos(f), sin(f));
            y[f] = (x[f] * c) - (x[f + half] * s);
            y[f + half] = (x[f + half] * c) + (x[f] * s);
        }

        return y;
    }
}
