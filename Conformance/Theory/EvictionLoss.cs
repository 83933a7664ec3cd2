namespace KvIL.Conformance.Theory;

/// <summary>What evicting costs one decode query of one layer, and the bounds on it, by definition in double.</summary>
/// <remarks>
/// Ada-KV (arXiv:2407.11550), §3, with A <c>[h, n]</c> attention of query head i over its tokens (rows sum to 1), U <c>[h, n, D]</c> what token
/// j adds to the output through head i, I <c>[h, n]</c> true for tokens kept.
/// <code>L ≤ identity bound     L ≤ θ ≤ ε_head ≤ ε</code>
/// A head that keeps nothing has output 0 (F = 0, and the bounds still hold).
/// </remarks>
public sealed class EvictionLoss
{
    private readonly double[,] _attention;
    private readonly double[,,] _contributions;
    private readonly bool[,] _kept;
    private readonly int _heads;
    private readonly int _tokens;
    private readonly int _width;
    private readonly double[] _retained; // F
    private readonly double[,] _evicted; // ô

    /// <summary>The loss of keeping <paramref name="kept"/>.</summary>
    /// <param name="attention">A.</param>
    /// <param name="contributions">U.</param>
    /// <param name="kept">I.</param>
    public EvictionLoss(double[,] attention, double[,,] contributions, bool[,] kept)
    {
        (_attention, _contributions, _kept) = (attention, contributions, kept);
        (_heads, _tokens, _width) = (contributions.GetLength(0), contributions.GetLength(1), contributions.GetLength(2));
        _retained = [.. Enumerable.Range(0, _heads).Select(i => Tokens(i, keep: true).Sum(j => attention[i, j]))];
        _evicted = new double[_heads, _width];
        for (int i = 0; i < _heads; i++)
        {
            for (int x = 0; x < _width; x++) _evicted[i, x] = Sum(_tokens, j => Renormalised(i, j) * contributions[i, j, x]);
        }
    }

    /// <summary><c>u_i^j = v_{i/G}^j W_i</c> with <c>W_i[c, x] = wo[x, i·d + c]</c>.</summary>
    /// <param name="v"><c>[kv, n, d]</c>.</param>
    /// <param name="wo">Output projection <c>[D, h·d]</c>.</param>
    public static double[,,] Contributions(double[,,] v, double[,] wo)
    {
        (int kv, int n, int d) = (v.GetLength(0), v.GetLength(1), v.GetLength(2));
        int h = wo.GetLength(1) / d;
        double[,,] u = new double[h, n, wo.GetLength(0)];
        for (int row = 0; row < h * n; row++)
        {
            (int i, int j) = (row / n, row % n);
            for (int x = 0; x < wo.GetLength(0); x++)
            {
                for (int c = 0; c < d; c++) u[i, j, x] += v[i / (h / kv), j, c] * wo[x, (i * d) + c];
            }
        }

        return u;
    }

    /// <summary><c>1 − F_i = Σ_{j dropped} A_i^j</c>: summed, because 1 − F cancels near F = 1.</summary>
    public double DroppedMass(int i) => Tokens(i, keep: false).Sum(j => _attention[i, j]);

    /// <summary><c>F_i = Σ_{j kept} A_i^j</c>.</summary>
    public double RetainedMass(int i) => _retained[i];

    /// <summary><c>Â_i^j = I_i^j A_i^j / F_i</c>; 0 when F_i = 0.</summary>
    public double Renormalised(int i, int j) => _kept[i, j] && _retained[i] > 0 ? _attention[i, j] / _retained[i] : 0;

    /// <summary><c>‖u_i^j‖₁</c>.</summary>
    public double RowNorm(int i, int j) => Sum(_width, x => Math.Abs(_contributions[i, j, x]));

    /// <summary><c>C_i = ‖U_i‖_∞ = max_j ‖u_i^j‖₁</c>: the induced norm, over kept and dropped tokens alike.</summary>
    public double HeadNorm(int i) => Enumerable.Range(0, _tokens).Max(j => RowNorm(i, j));

    /// <summary><c>C = max_i C_i</c>.</summary>
    public double Norm => Enumerable.Range(0, _heads).Max(HeadNorm);

    /// <summary><c>y − ŷ = Σ_i Σ_j (A_i^j − Â_i^j) u_i^j</c>, coordinate <paramref name="x"/>.</summary>
    public double Difference(int x) =>
        Sum(_heads, i => Sum(_tokens, j => (_attention[i, j] - Renormalised(i, j)) * _contributions[i, j, x]));

    /// <summary>
    /// <c>Σ_i Σ_{j dropped} A_i^j (u_i^j − ô_i)</c>, <c>ô_i = Â_i U_i</c>: equals <see cref="Difference"/> exactly.
    /// </summary>
    public double DifferenceByIdentity(int x) =>
        Sum(_heads, i => Tokens(i, keep: false).Sum(j => _attention[i, j] * (_contributions[i, j, x] - _evicted[i, x])));

    /// <summary><c>L = ‖y − ŷ‖₁</c>.</summary>
    public double Loss => Sum(_width, x => Math.Abs(Difference(x)));

    /// <summary><c>Σ_i (1 − F_i) max_{j dropped} ‖u_i^j − ô_i‖₁</c>: the bound that follows from the identity.</summary>
    public double IdentityBound => Sum(_heads, i => DroppedMass(i) * Tokens(i, keep: false)
        .Select(j => Sum(_width, x => Math.Abs(_contributions[i, j, x] - _evicted[i, x]))).DefaultIfEmpty(0).Max());

    /// <summary><c>θ = Σ_i [ Σ_{dropped} A‖u‖₁ + (1/F_i − 1) Σ_{kept} A‖u‖₁ ]</c> (CriticalKV, Theorem 3.3).</summary>
    public double Theta => Sum(_heads, i =>
    {
        double Weighted(bool keep) => Tokens(i, keep).Sum(j => _attention[i, j] * RowNorm(i, j));
        double f = _retained[i];
        return Weighted(false) + (f == 0 ? 0 : DroppedMass(i) / f * Weighted(true));
    });

    /// <summary><c>ε_head = 2 Σ_i C_i (1 − F_i)</c>.</summary>
    public double EpsilonPerHead => 2 * Sum(_heads, i => HeadNorm(i) * DroppedMass(i));

    /// <summary><c>ε = 2hC − 2C Σ_i F_i = 2C Σ_i (1 − F_i)</c> (Ada-KV, Theorem 3.1).</summary>
    public double Epsilon => 2 * Norm * Sum(_heads, DroppedMass);

    private IEnumerable<int> Tokens(int i, bool keep) => Enumerable.Range(0, _tokens).Where(j => _kept[i, j] == keep);

    private static double Sum(int count, Func<int, double> term) => Enumerable.Range(0, count).Sum(term);
}
