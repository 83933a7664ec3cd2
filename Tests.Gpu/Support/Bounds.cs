namespace KvIL.Tests.Gpu.Support;

/// <summary>How far two correct float32 implementations of an op may lie apart. Higham, Accuracy and Stability of Numerical Algorithms, §3.1.</summary>
/// <remarks>
/// <code>
/// u = 2⁻²⁴      γ_n = n·u / (1 − n·u)
/// sum or dot of n terms, in any order:   |computed − exact| ≤ γ_n · Σ |terms|
/// </code>
/// Each side may be off by its bound, hence a factor of two throughout.
/// </remarks>
internal static class Bounds
{
    /// <summary>Unit roundoff of float32.</summary>
    public const double U = 1.0 / (1 << 24);

    /// <summary>Relative error of exp on either side: below 2 ulp, an ulp being at most 2u of the value.</summary>
    public const double Exp = 4 * U;

    /// <summary>What flushing an exponential below e^−87.33 to zero can lose.</summary>
    public const double Flushed = 1.2e-38;

    public static double Gamma(int n) => n * U / (1 - (n * U));

    /// <summary>Between two dots of n products with <c>Σ |x·y| = terms</c>.</summary>
    public static double Dots(int n, double terms) => 2 * Gamma(n) * terms;

    /// <summary>Largest relative distance between two computations of a softmax weight.</summary>
    /// <remarks>
    /// A logit s of d products with Σ|q·k|·|scale| ≤ terms, multiplied by the scale, has an absolute error of at most
    /// δ = γ_(d+1) · terms; taking the maximum off adds u · 2 · terms. Exponentials turn absolute errors into relative ones, e^δ:
    /// once for the weight and once for the sum, whose n terms add γ_n, and whose running rescales by e^(m − m') add an
    /// exponential and a product each; a sum joined from s partial sums sees at most <paramref name="rescales"/> of them.
    /// <code>side = 2 (δ + 2u·terms + ε_exp) + γ_n + rescales · (ε_exp + 2u) + 3u         |w − w'| ≤ 2 (e^side − 1) · w</code>
    /// </remarks>
    public static double Softmax(int d, double terms, int n, int rescales)
    {
        double logit = (Gamma(d + 1) * terms) + (2 * U * terms);
        double side = (2 * (logit + Exp)) + Gamma(n) + (rescales * (Exp + (2 * U) + (2 * U * terms))) + (3 * U);
        return 2 * (Math.Exp(side) - 1);
    }
}

/// <summary>Comparisons that name the first difference.</summary>
internal static class Same
{
    /// <summary>Equal numbers, NaN equal to NaN.</summary>
    public static void Values(string what, float[] expected, float[] actual) => Within(what, expected, actual, _ => 0);

    /// <summary>Entry i within <paramref name="bound"/>(i); infinities and NaN alike.</summary>
    public static void Within(string what, float[] expected, float[] actual, Func<int, double> bound)
    {
        Xunit.Assert.True(expected.Length == actual.Length, $"{what}: {expected.Length} entries against {actual.Length}.");
        for (int i = 0; i < expected.Length; i++)
        {
            if (expected[i].Equals(actual[i])) continue;
            double distance = Math.Abs((double)expected[i] - actual[i]);
            Xunit.Assert.True(
                distance <= bound(i), $"{what}[{i}]: expected {expected[i]:R}, got {actual[i]:R}, {distance:G3} apart, bound {bound(i):G3}.");
        }
    }

    public static void Ints(string what, int[] expected, int[] actual) => Xunit.Assert.True(
        expected.AsSpan().SequenceEqual(actual), $"{what}: expected [{string.Join(", ", expected)}], got [{string.Join(", ", actual)}].");

    /// <summary>The same runs with equal rows; what lies outside the runs does not matter.</summary>
    public static void Stores(HostStore expected, HostStore actual)
    {
        Xunit.Assert.Equal(expected.Starts, actual.Starts);
        Ints("lengths", expected.Lengths, actual.Lengths);
        Ints("capacities", expected.Capacities, actual.Capacities);
        for (int run = 0; run < expected.Lengths.Length; run++)
        {
            for (int j = 0; j < expected.Lengths[run]; j++)
            {
                Values($"key {j} of run {run}", expected.Key(run, j).ToArray(), actual.Key(run, j).ToArray());
                Values($"value {j} of run {run}", expected.Value(run, j).ToArray(), actual.Value(run, j).ToArray());
                long row = expected.Starts[run] + j;
                Xunit.Assert.Equal(expected.Positions[row], actual.Positions[row]);
            }
        }
    }
}
