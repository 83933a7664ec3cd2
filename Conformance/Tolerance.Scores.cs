namespace KvIL.Conformance;

/// <content>Scores of rows: computed in double from floats, or from float attention, and rounded to float.</content>
/// <remarks>Where a bound is no number, as after a division by a gap of 0, nothing can be said: it counts as infinite.</remarks>
public static partial class Tolerance
{
    /// <summary>γₙ of binary64, of the subject's and the oracle's operations alike: twice.</summary>
    public static double Real(double n) => 2 * n * DoubleU / (1 - (n * DoubleU));

    private const double DoubleU = U / (1L << 29);

    /// <summary>A double within the factor exp(±λ) of the truth, rounded to float.</summary>
    public static double Relative(double logarithm, double value) => OrInfinite(((Math.Exp(logarithm) - 1) * Math.Abs(value)) + (2 * U * Math.Abs(value)) + Tiny);

    /// <summary>A double within <paramref name="error"/> of the truth, rounded to float.</summary>
    public static double Absolute(double error, double value) => OrInfinite((error * (1 + (2 * U))) + (2 * U * Math.Abs(value)) + Tiny);

    /// <summary>KeyDiff: a cosine with the sum of unit vectors, which may cancel.</summary>
    /// <remarks>The sum has an absolute error of γ_{n+d} n, relative to its length L n/L times that; each further sum of d terms and factor adds less.</remarks>
    public static double Cosine(int rows, int headDim, double length, double value) => Absolute(Real(rows + (2 * headDim) + 8) * (1 + (2 * rows / length)), value);

    /// <summary>CAKE: <c>mean a + γ var a</c>, pooled and averaged, from attention within the factor exp(±λ).</summary>
    /// <remarks>
    /// With Λ = e^λ − 1: <c>|Δ var| ≤ 2 (2Λ + Λ²) Σ a²/(w − 1)</c>, since (Σ a)² ≤ w Σ a²; and Σ a² = (w − 1) var + w mean², mean² ≤ mean ≤ 1, w/(w − 1) ≤ 2, so
    /// <c>|Δ var| ≤ (2Λ + Λ²)(2 var + 4 mean)</c>. Mean and γ var are at most the score, and pooling and means have positive weights:
    /// <code>|Δ s| ≤ (Λ + (2Λ + Λ²)(2 + 4γ)) s</code>
    /// A flushed weight counts for Tiny in the mean, and its part in the variance.
    /// </remarks>
    public static double Moments(double spread, double gamma, double value)
    {
        double relative = Math.Exp(spread + Gamma(4)) - 1;
        double second = relative * (2 + relative);
        return Absolute(((relative + (second * (2 + (4 * gamma)))) * value) + (4 * (1 + gamma) * Tiny), value);
    }

    /// <summary>CAKE's preference <c>H · V</c> from attention within the factor exp(±λ).</summary>
    /// <remarks>
    /// <c>|d(−a ln a)| ≤ |δa| (|ln a| + 1)</c>, so <c>|ΔH| ≤ Λ (H + 2hw)</c>, h w the sum of all weights, and flushed ones lose 24 Tiny each;
    /// <c>|ΔV| ≤ (2Λ + Λ²)(2V + 4h)</c> as in <see cref="Moments"/>, Σ mean² ≤ Σ mean ≤ 1 in each head.
    /// </remarks>
    public static double Preference(double spread, int heads, int queries, int rows, double entropy, double shift)
    {
        double relative = Math.Exp(spread + Gamma(4)) - 1;
        double h = (relative * (Math.Abs(entropy) + (2.0 * heads * queries))) + (24.0 * heads * queries * rows * Tiny) + (Real(heads * queries * rows) * Math.Abs(entropy));
        double v = relative * (2 + relative) * ((2 * shift) + (4.0 * heads));
        return Absolute((Math.Abs(entropy) * v) + (shift * h) + (h * v), entropy * shift);
    }

    /// <summary>Z: how far a logit of expected attention is off.</summary>
    /// <remarks>
    /// The subject's queries before RoPE are rounded to float, so each product q̃_t·k is within u P of the truth, P = max_t ‖q_t‖ ‖k‖ (R̄ does not
    /// lengthen). The mean of products moves by u P; their variance by 2 · 2P · 2uP + (2uP)² ≤ 9uP². What double adds is γ_N on the absolute terms
    /// of μ·k and kᵀΣk, at most P and 4P².
    /// </remarks>
    public static double ExpectedLogit(int queries, int headDim, double largestProduct)
    {
        double u = U + Real(queries + (4 * headDim) + 20);
        return u * ((2 * largestProduct / Math.Sqrt(headDim)) + (9 * largestProduct * largestProduct / (2 * headDim)));
    }

    /// <summary>CapKV's <c>w · vᵀA⁻¹v</c>: the logarithm of its factor.</summary>
    /// <remarks>
    /// The anchor is within u ‖q‖ of the truth, ‖q‖ the mean length of the queries: relative κ = ‖q‖/‖a‖, and a cosine moves by 2uκ. So w is within
    /// exp(±W), W = 4τuκ with the largest; A = I + Σ (w + ε) v vᵀ lies between e^−W A and e^W A, and so does each form of its inverse. In double,
    /// Cholesky is off by d γ_{3d+n} times the condition, at most the trace of A (Higham, §10.1).
    /// </remarks>
    public static double Capacity(double tau, double cancellation, int rows, int headDim, double trace) =>
        (2 * 4 * tau * (U + Real(rows + (2 * headDim) + 20)) * cancellation) + (headDim * Real((3 * headDim) + rows) * trace);

    /// <summary>How far a statistical leverage of rows X, rounded to float, is off.</summary>
    /// <remarks>
    /// Rows and their mean move by u each, ‖E‖ ≤ 2u‖K‖_F. With G = XᵀX + λI ≥ λI: <c>‖G^{−1/2} ΔG G^{−1/2}‖ ≤ 2‖E‖/√λ + ‖E‖²/λ = η</c>, since
    /// ‖X G^{−1/2}‖ ≤ 1; a row moves by ξ = 2u max ‖k‖/√λ in that norm; ℓ ≤ 1. Cholesky in double adds d γ_{3d+n} tr G/λ.
    /// </remarks>
    public static double Leverage(double jitter, int rows, int headDim, double frobenius, double longest)
    {
        double u = U + Real(rows + headDim + 8), root = Math.Sqrt(jitter);
        double e = 2 * u * frobenius / root, xi = 2 * u * longest / root, eta = e * (2 + e);
        if (eta >= 1) return double.PositiveInfinity;
        return (xi * (2 + xi)) + (eta / (1 - eta) * (1 + xi) * (1 + xi)) + (headDim * Real((3 * headDim) + rows) * ((frobenius * frobenius / jitter) + headDim));
    }

    /// <summary><c>(s − mean)/σ</c> where each s is within E: the mean moves by E and σ by √2 E, being Lipschitz in the deviations.</summary>
    public static double ZNormalised(double error, double deviation, double value) => OrInfinite(
        Absolute(((2 * error) + (Math.Sqrt(2) * error * Math.Abs(value))) / Math.Max(deviation - (Math.Sqrt(2) * error), 1e-6), value));

    /// <summary>How far the first eigenvector of a Gram matrix is off that was found by twenty squarings.</summary>
    /// <remarks>
    /// Davis and Kahan in the form of Yu, Wang and Samworth (Biometrika 102, 2015): <c>‖f̂ − f‖ ≤ 2√2 ‖E‖/(λ₁ − λ₂)</c> for the Gram matrix, E at most γ_n of its trace, and
    /// again for each squaring, d γ_d of a norm at most 1 whose relative gap is no smaller; what is left of the others is (λ₂/λ₁)^(2^20) √d.
    /// The oracle's Jacobi rotations are as exact as one squaring.
    /// </remarks>
    public static double Direction(int terms, int headDim, double trace, double first, double second)
    {
        double gap = 1 - (second / first);
        double products = Real(terms + 2) * trace / first, squarings = 22.0 * headDim * Real(headDim + 3);
        return OrInfinite((2 * Math.Sqrt(2) * (products + squarings) / gap) + (Math.Sqrt(headDim) * Math.Pow(second / first, 1 << 20)));
    }

    private static double OrInfinite(double bound) => double.IsNaN(bound) ? double.PositiveInfinity : bound;
}
