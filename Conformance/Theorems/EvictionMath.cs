using KvIL.Conformance.Theory;

namespace KvIL.Conformance.Theorems;

/// <summary>The functions of the theory of eviction, each by default as KvIL has it: derive, override what is yours, run every law on it.</summary>
/// <remarks>
/// <code>LawReport report = EvictionLaws.Check(new MyMath());      report.ThrowIfBroken();</code>
/// A function calls the others through this class, so that one that is overridden is seen by all that build on it.
/// Functions must not keep state or write to their arguments; laws call them from several threads.
/// <para>
/// Shapes: A <c>[h, n]</c> attention of one query, rows sum to 1; U <c>[h, n, D]</c> what token j adds to the output through head i;
/// I <c>[h, n]</c> true for tokens kept. Ada-KV (arXiv:2407.11550), §3.
/// </para>
/// </remarks>
public partial class EvictionMath
{
    /// <summary>What reports call it.</summary>
    public virtual string Name => GetType().Name;

    /// <summary>Unit roundoff of its element arithmetic: 2⁻⁵³ for doubles; tolerances of the laws are multiples of it.</summary>
    public virtual double UnitRoundoff => Math.ScaleB(1, -53);

    /// <summary><c>u_i^j = v_{i/G}^j W_i</c> with <c>W_i[c, x] = wo[x, i·d + c]</c>; v <c>[kv, n, d]</c>, wo <c>[D, h·d]</c>.</summary>
    public virtual double[,,] Contributions(double[,,] v, double[,] wo) => EvictionLoss.Contributions(v, wo);

    /// <summary><c>‖u_i^j‖₁</c>, <c>[h, n]</c>.</summary>
    public virtual double[,] RowNorms(double[,,] u)
    {
        EvictionLoss loss = All(u);
        return Arrays.Table(u.GetLength(0), u.GetLength(1), loss.RowNorm);
    }

    /// <summary><c>C_i = ‖U_i‖_∞ = max_j ‖u_i^j‖₁</c>, over kept and dropped tokens alike.</summary>
    public virtual double[] HeadNorms(double[,,] u)
    {
        double[,] rows = RowNorms(u);
        return [.. Enumerable.Range(0, rows.GetLength(0)).Select(i => Arrays.Row(rows, i).Max())];
    }

    /// <summary><c>C = max_i C_i</c>.</summary>
    public virtual double Norm(double[,,] u) => HeadNorms(u).Max();

    /// <summary><c>F_i = Σ_{j kept} A_i^j</c>.</summary>
    public virtual double[] RetainedMass(double[,] a, bool[,] kept) => Heads(a, i => Of(a, kept).RetainedMass(i));

    /// <summary><c>1 − F_i = Σ_{j dropped} A_i^j</c>: summed, because 1 − F cancels near F = 1.</summary>
    public virtual double[] DroppedMass(double[,] a, bool[,] kept) => Heads(a, i => Of(a, kept).DroppedMass(i));

    /// <summary><c>Â_i^j = I_i^j A_i^j / F_i</c>; 0 when F_i = 0.</summary>
    public virtual double[,] Renormalised(double[,] a, bool[,] kept)
    {
        EvictionLoss loss = Of(a, kept);
        return Arrays.Table(a.GetLength(0), a.GetLength(1), loss.Renormalised);
    }

    /// <summary><c>y − ŷ = Σ_i Σ_j (A_i^j − Â_i^j) u_i^j</c>, <c>[D]</c>.</summary>
    public virtual double[] OutputChange(double[,] a, double[,,] u, bool[,] kept)
    {
        double[,] after = Renormalised(a, kept);
        double[] change = new double[u.GetLength(2)];
        for (int x = 0; x < u.Length; x++)
        {
            (int i, int j, int c) = (x / change.Length / a.GetLength(1), x / change.Length % a.GetLength(1), x % change.Length);
            change[c] += (a[i, j] - after[i, j]) * u[i, j, c];
        }

        return change;
    }

    /// <summary><c>L = ‖y − ŷ‖₁</c>.</summary>
    public virtual double Loss(double[,] a, double[,,] u, bool[,] kept) => OutputChange(a, u, kept).Sum(Math.Abs);

    /// <summary><c>Σ_i (1 − F_i) max_{j dropped} ‖u_i^j − ô_i‖₁</c>, <c>ô_i = Â_i U_i</c>.</summary>
    public virtual double IdentityBound(double[,] a, double[,,] u, bool[,] kept) => new EvictionLoss(a, u, kept).IdentityBound;

    /// <summary><c>θ = Σ_i [ Σ_{dropped} A‖u‖₁ + (1/F_i − 1) Σ_{kept} A‖u‖₁ ]</c> (CriticalKV, Theorem 3.3).</summary>
    public virtual double Theta(double[,] a, double[,,] u, bool[,] kept)
    {
        double[] f = RetainedMass(a, kept), dropped = DroppedMass(a, kept);
        double[,] norms = RowNorms(u);
        double theta = 0;
        for (int x = 0; x < a.Length; x++)
        {
            (int i, int j) = (x / a.GetLength(1), x % a.GetLength(1));
            theta += a[i, j] * norms[i, j] * (kept[i, j] ? f[i] > 0 ? dropped[i] / f[i] : 0 : 1);
        }

        return theta;
    }

    /// <summary><c>ε_head = 2 Σ_i C_i (1 − F_i)</c>.</summary>
    public virtual double EpsilonPerHead(double[,] a, double[,,] u, bool[,] kept) =>
        2 * HeadNorms(u).Zip(DroppedMass(a, kept), (c, dropped) => c * dropped).Sum();

    /// <summary><c>ε = 2C Σ_i (1 − F_i)</c> (Ada-KV, Theorem 3.1).</summary>
    public virtual double Epsilon(double[,] a, double[,,] u, bool[,] kept) => 2 * Norm(u) * DroppedMass(a, kept).Sum();

    private static double[] Heads(double[,] a, Func<int, double> value) => [.. Enumerable.Range(0, a.GetLength(0)).Select(value)];

    private static EvictionLoss Of(double[,] a, bool[,] kept) => new(a, new double[a.GetLength(0), a.GetLength(1), 0], kept);

    private static EvictionLoss All(double[,,] u) =>
        new(new double[u.GetLength(0), u.GetLength(1)], u, new bool[u.GetLength(0), u.GetLength(1)]);
}
