namespace KvIL.Inference.Models;

/// <summary>The standard normal distribution, Φ its distribution function and φ its density.</summary>
internal static class NormalDistribution
{
    /// <summary>x with Φ(x) = p, for p from 1e-9 to 1 − 1e-9; to about 1e-15 / φ(x), as exactly as Φ(x) tells p from its neighbours.</summary>
    /// <remarks>Newton's steps from 0 on: for p ≥ ½ Φ is concave there, so they never go beyond the root.</remarks>
    public static double Quantile(double p)
    {
        if (p < 0.5) return -Quantile(1 - p);
        double x = 0;
        for (int step = 0; step < 100; step++)
        {
            double change = (p - Cumulative(x)) / Density(x);
            x += change;
            if (Math.Abs(change) <= 1e-15 * (1 + x)) break;
        }

        return x;
    }

    // Φ(x) = ½ + φ(x) Σ_k x^(2k+1) / (1·3·5···(2k+1))      Abramowitz and Stegun 26.2.11
    private static double Cumulative(double x)
    {
        double term = x, sum = x;
        for (int odd = 3; Math.Abs(term) > 1e-17 * sum; odd += 2)
        {
            sum += term *= x * x / odd;
        }

        return 0.5 + (Density(x) * sum);
    }

    private static double Density(double x) => Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);
}
