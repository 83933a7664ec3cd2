namespace KvIL.Conformance;

/// <summary>How far a float32 backend may be from the oracle, per element, derived from the arithmetic and never tuned to pass.</summary>
/// <remarks>
/// Higham, <i>Accuracy and Stability of Numerical Algorithms</i>, 2nd ed. 2002, §3.1: n rounded operations change a value by at most the
/// factor 1 ± γₙ. The bounds hold for any order of a sum, with or without fused multiply-adds. Every count has one
/// operation more than the float side needs: it covers the oracle's own error, n·2⁻⁵³ &lt; 2⁻²⁴ for n &lt; 2²⁹.
/// </remarks>
public static partial class Tolerance
{
    /// <summary>Unit roundoff of binary32, 2⁻²⁴.</summary>
    public const double U = 1.0 / (1 << 24);

    /// <summary>Smallest normal binary32, 2⁻¹²⁶: what an operation may lose when its result underflows and is flushed to zero.</summary>
    public const double Tiny = 1.0 / (1L << 62) / (1L << 62) / 4;

    /// <summary>The contract on exp: at most 2 ulp at its rounded argument, 1 ulp ≤ 2u; CUDA's ex2.approx.f32 keeps it too.</summary>
    public const int ExpRoundings = 4;

    /// <summary>The contract on tanh: relative error at most 4 ulp.</summary>
    public const int TanhRoundings = 8;

    /// <summary>γₙ = n·u / (1 − n·u).</summary>
    public static double Gamma(double n) => n * U / (1 - (n * U));

    /// <summary>Class <c>Rounded(k)</c>: k correctly rounded operations, none an addition after a multiplication.</summary>
    public static double Rounded(int k, double value) => (Gamma(k + 1) * Math.Abs(value)) + Tiny;

    /// <summary>Class <c>Reduction(n)</c>: a dot product or sum of n terms whose magnitudes sum to <paramref name="magnitude"/>: γₙ Σ|xᵢyᵢ|, whatever cancels.</summary>
    public static double Reduction(int n, double magnitude) => (Gamma(n + 1) * magnitude) + (n * Tiny);

    /// <summary>Mean of n values: their sum, and a division or a multiplication by the rounded 1/n.</summary>
    public static double Mean(int n, double meanMagnitude) => Reduction(n + 2, meanMagnitude);

    /// <summary><c>x_f cos ∓ x_{F+f} sin</c>: class <c>Affine</c>, a dot product of two terms.</summary>
    public static double Rope(double magnitude) => Reduction(2, magnitude);

    /// <summary><c>(o + w) x / √(mean(x²) + ε)</c>.</summary>
    /// <remarks>
    /// The mean square has non-negative terms: relative error γ for width squares and sums, the division or two roundings of a
    /// reciprocal, and + ε: width + 3 in all, halved by the root. Then the root and the division or a reciprocal root of
    /// 2 ulp (4 roundings at most), two multiplications, and the sum o + w.
    /// </remarks>
    public static double RmsNorm(int width, double value) => (Gamma(((width + 3) / 2.0) + 4 + 2 + 1 + 1) * Math.Abs(value)) + Tiny;

    /// <summary><c>x · √mean(r²) / √max(mean(x²), floor)</c>.</summary>
    /// <remarks>Two mean squares of non-negative terms, each as in <see cref="RmsNorm"/> without ε; their roots or a reciprocal root, the quotient, the product.</remarks>
    public static double MatchRms(int width, double value) => (Gamma(width + 2 + 2 + 4 + 2 + 1) * Math.Abs(value)) + Tiny;

    /// <summary><c>max(0, x − (μ + m σ))</c> of one element of a row.</summary>
    /// <remarks>
    /// With e the error of the mean, each x − μ is within e + u(|x| + |μ|); by the triangle inequality of the root mean square σ is within the
    /// largest of these, and within γ of its sum, division and root. Then a product, two sums, and max, which passes errors as they are.
    /// </remarks>
    public static double Sparsify(ReadOnlySpan<double> row, double deviations, double x)
    {
        double mean = 0, magnitude = 0, largest = 0, square = 0;
        foreach (double value in row)
        {
            (mean, magnitude) = (mean + (value / row.Length), magnitude + (Math.Abs(value) / row.Length));
            largest = Math.Max(largest, Math.Abs(value));
        }

        foreach (double value in row) square += (value - mean) * (value - mean) / row.Length;
        double ofMean = Mean(row.Length, magnitude), deviation = Math.Sqrt(square);
        double ofDeviation = ofMean + (2 * U * (largest + magnitude)) + (Gamma(((row.Length + 3) / 2.0) + 2) * (deviation + ofMean)) + Math.Sqrt(Tiny);
        double terms = Math.Abs(x) + Math.Abs(mean) + (Math.Abs(deviations) * (deviation + ofDeviation));
        return ofMean + (Math.Abs(deviations) * ofDeviation) + (Gamma(4) * terms) + Tiny;
    }

    /// <summary><c>m cos</c> or <c>m sin</c> of an angle in double, rounded once.</summary>
    /// <remarks>Products and function are within 1 ulp of double (2·2⁻⁵³) on each side; an error of the angle passes with a factor of at most m.</remarks>
    public static double Rotation(double angle, double value, double factor = 1) =>
        (U * Math.Abs(value)) + ((Math.Abs(angle) + 3) * Math.Abs(factor) * Math.ScaleB(1, -52)) + Tiny;

    /// <summary><c>g / (1 + exp(−g)) · up</c>.</summary>
    /// <remarks>
    /// exp has relative error (ExpRoundings + |g|)u, |g|u from rounding an argument scaled to base 2, and the sum 1 + exp no
    /// more; then the sum, the division and the product. When exp(−g) overflows, at g &lt; −128 ln 2, the subject gives 0
    /// and misses |g| exp(g) |up| &lt; |g| |up| 2⁻¹²⁸.
    /// </remarks>
    public static double SwiGlu(double gate, double up, double value) =>
        (Gamma(ExpRoundings + Math.Abs(gate) + 3 + 1) * Math.Abs(value)) + ((1 + Math.Abs(gate)) * (1 + Math.Abs(up)) * Tiny);

    /// <summary><c>x / (1 + exp(−t)) · up</c> with <c>t = 2√(2/π) (x + 0.044715 x³)</c>.</summary>
    /// <remarks>
    /// The terms of t have one sign: two rounded constants, a square and three operations, at most 4 along one path. So exp has relative error
    /// (ExpRoundings + 4|t| + |t|)u, then as for <see cref="SwiGlu"/>. Beyond t = −90, x exp(t) up is below |x| |up| 2⁻¹²⁸ and the
    /// subject gives 0; for positive t an error of t passes with a factor of at most exp(−t), so 90 serves there too.
    /// </remarks>
    public static double GeGlu(double gate, double up, double value)
    {
        double t = Math.Abs(2 * Math.Sqrt(2 / Math.PI) * (gate + (0.044715 * gate * gate * gate)));
        return (Gamma(ExpRoundings + (5 * Math.Min(t, 90)) + 3 + 1) * Math.Abs(value)) + ((1 + Math.Abs(gate)) * (1 + Math.Abs(up)) * Tiny);
    }

    /// <summary><c>c · tanh(x / c)</c>: the quotient, or two roundings of a product with 1/c, passes with a factor of at most 1; then tanh and a product.</summary>
    public static double SoftCap(double cap, double value) => (Gamma(SoftCapRoundings + 1) * Math.Abs(value)) + ((1 + cap) * Tiny);

    private const int SoftCapRoundings = 2 + TanhRoundings + 1;

    /// <summary>λ: every attention weight is within the factor exp(±λ) of the truth, or flushed.</summary>
    /// <remarks>
    /// With A = max_j |scale| Σ_c |q_c k_jc| over the rows:
    /// <code>
    /// logit        |ŝ_j − s_j| ≤ γ_{d+2} A                   d products and sums, the scale applied to q, to the sum, or as a float constant;
    ///                                                        a soft cap passes that with a factor of at most 1 and adds its own roundings
    /// argument     s_j − max: rounded, and rounded again when scaled to base 2: 2u per unit; |s_j − max| ≤ 2A, also when an
    ///              online softmax walks there over several running maxima, which only grow
    /// factors      own exp: ExpRoundings; each of at most n rescalings of an online softmax: ExpRoundings + 1; sum of n; division 1
    /// </code>
    /// A factor 1 ± ε on each weight is a factor (1 + ε)/(1 − ε) on a quotient of sums of them: hence 2.
    /// </remarks>
    /// <param name="rows">n, rows attended to.</param>
    /// <param name="headDim">d.</param>
    /// <param name="logitMagnitude">A.</param>
    /// <param name="softCap">Whether logits have a soft cap.</param>
    public static double AttentionSpread(int rows, int headDim, double logitMagnitude, bool softCap = false)
    {
        double logit = Gamma(headDim + 2 + (softCap ? SoftCapRoundings : 0)) * logitMagnitude;
        double argument = 2 * U * 2 * logitMagnitude;
        double factors = Gamma((rows * (ExpRoundings + 2)) + ExpRoundings + 2);
        return 2 * (logit + argument + factors);
    }

    /// <summary><c>Σ_j A_j v_j</c>: (exp(λ) − 1) Σ A_j |v_j|, and what flushed weights lose.</summary>
    /// <param name="spread">λ.</param>
    /// <param name="magnitude">Σ A_j |v_jc|.</param>
    /// <param name="rows">Rows attended to.</param>
    /// <param name="largestValue">max |v|.</param>
    public static double Attend(double spread, double magnitude, int rows, double largestValue) =>
        (Relative(spread) * magnitude) + (2 * (rows + 1) * (1 + largestValue) * Tiny);

    /// <summary>Mean of w attention weights: non-negative terms, so relative: λ, and the mean's roundings.</summary>
    public static double WindowScore(double spread, int window, double value) =>
        (Relative(spread + Gamma(window + 3)) * Math.Abs(value)) + (2 * Tiny);

    /// <summary>κ: relative error of the sums of <c>EvictionLoss</c> over their absolute terms.</summary>
    /// <remarks>
    /// Each term multiplies at most A_ij, 1/F_i and 1 − F_i, each within exp(±λ) (sums of attention have
    /// non-negative terms), and u_j. Along the longest path a term takes part in sums over d channels, n rows, H heads and the width, and
    /// whatever is first (rows or channels, when attention outputs are projected instead): n + H·d + H·n + width, and a
    /// handful of products and differences: 8.
    /// </remarks>
    public static double Loss(double spread, int rows, int headDim, int queryHeads, int width) =>
        Relative((3 * spread) + Gamma(rows + (queryHeads * headDim) + (queryHeads * rows) + width + 8));

    private static double Relative(double logarithm) => Math.Exp(logarithm) - 1;
}
