namespace KvIL.Conformance.Theory;

/// <summary>Rotary positions by definition, in the layout that pairs dimension f with f + d/2.</summary>
/// <remarks>
/// <code>ω_f = θ^(−2f/d)      (x R_p)_f = x_f cos pω_f − x_{f+d/2} sin pω_f      (x R_p)_{f+d/2} = x_{f+d/2} cos pω_f + x_f sin pω_f</code>
/// </remarks>
public static class Rotation
{
    /// <summary><c>x</c> turned by <paramref name="positions"/> places; a negative number turns back.</summary>
    public static double[] Turn(double[] x, double positions, double theta) => Turn(x, positions, Frequencies(x.Length, theta));

    /// <summary>The same with ω given: channels f and f + F of F frequencies turn, those from 2F on do not.</summary>
    public static double[] Turn(double[] x, double positions, IReadOnlyList<double> frequencies) => Apply(
        x, [.. frequencies.Select(w => Math.Cos(positions * w))], [.. frequencies.Select(w => Math.Sin(positions * w))]);

    /// <summary>
    /// Vectors under the mean of the rotations by <c>first … first + count − 1</c> places, which is no rotation itself.
    /// </summary>
    public static double[][] MeanTurn(double[][] x, int first, int count, IReadOnlyList<double> frequencies)
    {
        double Mean(double w, Func<double, double> wave) => Enumerable.Range(first, count).Average(p => wave(p * w));
        double[] cos = [.. frequencies.Select(w => Mean(w, Math.Cos))], sin = [.. frequencies.Select(w => Mean(w, Math.Sin))];
        return [.. x.Select(row => Apply(row, cos, sin))];
    }

    /// <inheritdoc cref="MeanTurn(double[][], int, int, IReadOnlyList{double})"/>
    public static double[][] MeanTurn(double[][] x, int first, int count, double theta) => MeanTurn(x, first, count, Frequencies(x[0].Length, theta));

    /// <summary>ω_f of all channels.</summary>
    public static double[] Frequencies(int channels, double theta) =>
        [.. Enumerable.Range(0, channels / 2).Select(f => Math.Pow(theta, -2.0 * f / channels))];

    /// <summary>
    /// Keys of a compacted head as if its rows had always been neighbours: row r, from position p_r, is turned by <c>r − p_r</c>.
    /// </summary>
    /// <remarks>kvpress, <c>KeyRerotationPress</c>: what StreamingLLM's positions inside the cache mean for rotated keys.</remarks>
    /// <param name="keys">Keys after RoPE at their own positions, <c>[rows, d]</c>.</param>
    /// <param name="positions">p_r, ascending.</param>
    /// <param name="theta">θ.</param>
    public static double[][] Rerotated(double[][] keys, int[] positions, double theta) =>
        [.. keys.Select((k, row) => Turn(k, row - positions[row], theta))];

    private static double[] Apply(double[] x, double[] cos, double[] sin)
    {
        int half = cos.Length;
        double[] y = [.. x];
        for (int f = 0; f < half; f++)
        {
            y[f] = (x[f] * cos[f]) - (x[f + half] * sin[f]);
            y[f + half] = (x[f + half] * cos[f]) + (x[f] * sin[f]);
        }

        return y;
    }
}
