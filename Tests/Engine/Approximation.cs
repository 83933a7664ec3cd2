using KvIL.Conformance;

namespace KvIL.Tests.Engines;

/// <summary>A matrix in double, and for each element how far a float32 computation of it may be.</summary>
/// <remarks>
/// Running error analysis (Higham, <i>Accuracy and Stability of Numerical Algorithms</i>, §3.3): every op passes on the errors of its
/// inputs by its derivative's largest absolute value, and adds its own rounding from <see cref="Tolerance"/>, taken of
/// inputs as large as their errors allow.
/// </remarks>
internal sealed class Approximation(int rows, int width)
{
    public int Rows => rows;

    public int Width => width;

    public double[] Values { get; } = new double[rows * width];

    public double[] Errors { get; } = new double[rows * width];

    public double this[int i, int j] => Values[(i * width) + j];

    public double Error(int i, int j) => Errors[(i * width) + j];

    public void Set(int i, int j, double value, double error) =>
        (Values[(i * width) + j], Errors[(i * width) + j]) = (value, error);

    /// <summary><c>w x / r</c>, r = √(mean(x²) + ε): r moves by at most ‖δx‖₂/√n.</summary>
    public Approximation RmsNorm(double[] weight, double epsilon)
    {
        Approximation y = new(rows, width);
        for (int i = 0; i < rows; i++)
        {
            double square = 0, change = 0;
            for (int k = 0; k < width; k++)
            {
                square += this[i, k] * this[i, k];
                change += Error(i, k) * Error(i, k);
            }

            double root = Math.Sqrt((square / width) + (float)epsilon), shift = Math.Sqrt(change / width), least = root - shift;
            for (int k = 0; k < width; k++)
            {
                double passed = Math.Abs(weight[k]) * ((Error(i, k) / least) + (Math.Abs(this[i, k]) * shift / (root * least)));
                double value = weight[k] * this[i, k] / root;
                y.Set(i, k, value, passed + Tolerance.RmsNorm(width, Math.Abs(value) + passed));
            }
        }

        return y;
    }

    /// <summary><c>x Wᵀ + b</c>.</summary>
    public Approximation Linear(double[] weight, double[]? bias)
    {
        int outputs = weight.Length / width;
        Approximation y = new(rows, outputs);
        for (int i = 0; i < rows; i++)
        {
            for (int o = 0; o < outputs; o++)
            {
                double sum = bias?[o] ?? 0, magnitude = Math.Abs(sum), passed = 0;
                for (int k = 0; k < width; k++)
                {
                    double w = weight[(o * width) + k];
                    sum += this[i, k] * w;
                    magnitude += Math.Abs(this[i, k] * w);
                    passed += Error(i, k) * Math.Abs(w);
                }

                y.Set(i, o, sum, passed + Tolerance.Reduction(width + 1, magnitude + passed));
            }
        }

        return y;
    }

    /// <summary>RoPE, half-split, positions 0, 1, ...</summary>
    public Approximation Rope(int headDim, double theta)
    {
        Approximation y = new(rows, width);
        int half = headDim / 2;
        for (int cell = 0; cell < rows * width; cell++)
        {
            (int i, int k) = (cell / width, cell % width);
            int c = k % headDim;
            double angle = i * Math.Pow(theta, -2.0 * (c % half) / headDim);
            (double sin, double cos) = Math.SinCos(angle);
            int partner = c < half ? k + half : k - half;
            double sign = c < half ? -1 : 1;
            (double a, double b) = (Math.Abs(this[i, k]) + Error(i, k), Math.Abs(this[i, partner]) + Error(i, partner));
            double passed = (Error(i, k) * Math.Abs(cos)) + (Error(i, partner) * Math.Abs(sin))
                + (a * Tolerance.Rotation(angle, cos)) + (b * Tolerance.Rotation(angle, sin));
            y.Set(i, k, (this[i, k] * cos) + (sign * this[i, partner] * sin), passed + Tolerance.Rope(a + b));
        }

        return y;
    }

    /// <summary>What a store of 16-bit rows keeps: half a spacing of 2⁻¹⁰ of the value, or of the subnormals' 2⁻²⁴.</summary>
    public Approximation RoundedToHalf()
    {
        Approximation y = new(rows, width);
        for (int cell = 0; cell < Values.Length; cell++)
        {
            (int i, int k) = (cell / width, cell % width);
            double rounding = Math.ScaleB(Math.Abs(Values[cell]) + Errors[cell], -11) + Math.ScaleB(1, -25);
            y.Set(i, k, Values[cell], Errors[cell] + rounding);
        }

        return y;
    }

    public Approximation Add(Approximation other) => Combine(other, (a, ea, b, eb) =>
        (a + b, ea + eb + Tolerance.Rounded(1, Math.Abs(a + b) + ea + eb)));

    /// <summary><c>silu(g) u</c>; the slope of silu is at most 1.1.</summary>
    public Approximation SwiGlu(Approximation up) => Combine(up, (g, eg, u, eu) =>
    {
        double silu = g / (1 + Math.Exp(-g));
        double passed = (1.1 * eg * (Math.Abs(u) + eu)) + (Math.Abs(silu) * eu);
        return (silu * u, passed + Tolerance.SwiGlu(Math.Abs(g) + eg, Math.Abs(u) + eu, Math.Abs(silu * u) + passed));
    });

    private Approximation Combine(Approximation other, Func<double, double, double, double, (double Value, double Error)> of)
    {
        Approximation y = new(rows, width);
        for (int cell = 0; cell < Values.Length; cell++)
        {
            (y.Values[cell], y.Errors[cell]) = of(Values[cell], Errors[cell], other.Values[cell], other.Errors[cell]);
        }

        return y;
    }
}
