using System.Runtime.Intrinsics;

namespace KvIL.Reference.Simd;

/// <summary>A symmetric matrix in double, of rows of floats: what covariances and leverages are made of.</summary>
/// <remarks>Every element is one chain of fused multiply-adds in a written order, and lanes are never added: the same bits at every vector width.</remarks>
internal sealed unsafe class RealMatrix
{
    private const int Rows = 4;   // rows of an update, and of a product
    private const int Lanes = 16; // vectors side by side in a triangular solution

    private readonly double[] _elements;
    private readonly int _stride;

    /// <summary>Zeros, <c>[n, n]</c>.</summary>
    public RealMatrix(int n)
    {
        (Size, _stride) = (n, RealLanes.Padded(n));
        _elements = RealLanes.Pinned((long)_stride * _stride);
    }

    /// <summary>n.</summary>
    public int Size { get; }

    /// <summary>Element (a, b).</summary>
    public ref double this[int a, int b] => ref _elements[(a * _stride) + b];

    private double* Start => RealLanes.Address(_elements);

    /// <summary>Adds <c>Σ_j w_j (x_j − m)(x_j − m)ᵀ</c>.</summary>
    /// <param name="rows">x, <c>[count, n]</c>.</param>
    /// <param name="mean">m; empty for 0.</param>
    /// <param name="weights">w, one a row; empty for 1.</param>
    public void AddOuterProducts(ReadOnlySpan<float> rows, ReadOnlySpan<double> mean, ReadOnlySpan<double> weights)
    {
        double[] centred = new double[Rows * _stride], weighted = new double[Rows * _stride];
        int count = rows.Length / Size;
        for (int j = 0; j < count; j += Rows)
        {
            Array.Clear(centred);
            Array.Clear(weighted);
            for (int r = 0; r < Math.Min(Rows, count - j); r++)
            {
                double weight = weights.IsEmpty ? 1 : weights[j + r];
                for (int c = 0; c < Size; c++)
                {
                    double x = rows[((j + r) * Size) + c] - (mean.IsEmpty ? 0 : mean[c]);
                    centred[(r * _stride) + c] = x;
                    weighted[(r * _stride) + c] = weight * x;
                }
            }

            fixed (double* left = weighted, right = centred) Update(left, right);
        }

        for (int a = 0; a < Size; a++)
        {
            for (int b = 0; b < a; b++) this[a, b] = this[b, a];
        }

        GC.KeepAlive(_elements);
    }

    // The upper half, by whole vectors.
    private void Update(double* left, double* right)
    {
        for (int a = 0; a < Size; a++)
        {
            Vector256<double> l0 = Vector256.Create(left[a]), l1 = Vector256.Create(left[_stride + a]);
            Vector256<double> l2 = Vector256.Create(left[(2 * _stride) + a]), l3 = Vector256.Create(left[(3 * _stride) + a]);
            double* row = Start + ((long)a * _stride);
            for (int b = a / RealLanes.Count * RealLanes.Count; b < _stride; b += RealLanes.Count)
            {
                Vector256<double> sum = Vector256.FusedMultiplyAdd(l0, Vector256.Load(right + b), Vector256.Load(row + b));
                sum = Vector256.FusedMultiplyAdd(l1, Vector256.Load(right + _stride + b), sum);
                sum = Vector256.FusedMultiplyAdd(l2, Vector256.Load(right + (2 * _stride) + b), sum);
                Vector256.FusedMultiplyAdd(l3, Vector256.Load(right + (3 * _stride) + b), sum).Store(row + b);
            }
        }
    }

    /// <summary><c>forms[j] = x_jᵀ A x_j</c>.</summary>
    public void Forms(ReadOnlySpan<float> rows, Span<double> forms)
    {
        double* total = stackalloc double[Lanes];
        fixed (double* panel = new double[Lanes * _stride])
        {
            for (int j = 0; j < forms.Length; j += Lanes)
            {
                int lanes = Pack(rows, j, panel);
                new Span<double>(total, Lanes).Clear();
                for (int lane = 0; lane < lanes; lane += 2 * RealLanes.Count)
                {
                    for (int a = 0; a < _stride; a += Rows) Forms(a, panel + lane, total + lane);
                }

                new ReadOnlySpan<double>(total, lanes).CopyTo(forms[j..]);
            }
        }

        GC.KeepAlive(_elements);
    }

    // Σ x_a (A x)_a for four a and eight vectors.
    private void Forms(int a, double* panel, double* total)
    {
        double* r0 = Start + ((long)a * _stride), r1 = r0 + _stride, r2 = r1 + _stride, r3 = r2 + _stride;
        Vector256<double> s00 = default, s01 = default, s10 = default, s11 = default;
        Vector256<double> s20 = default, s21 = default, s30 = default, s31 = default;
        for (int b = 0; b < Size; b++)
        {
            Vector256<double> x0 = Vector256.Load(panel + ((long)b * Lanes)), x1 = Vector256.Load(panel + ((long)b * Lanes) + RealLanes.Count);
            s00 = Vector256.FusedMultiplyAdd(Vector256.Create(r0[b]), x0, s00);
            s01 = Vector256.FusedMultiplyAdd(Vector256.Create(r0[b]), x1, s01);
            s10 = Vector256.FusedMultiplyAdd(Vector256.Create(r1[b]), x0, s10);
            s11 = Vector256.FusedMultiplyAdd(Vector256.Create(r1[b]), x1, s11);
            s20 = Vector256.FusedMultiplyAdd(Vector256.Create(r2[b]), x0, s20);
            s21 = Vector256.FusedMultiplyAdd(Vector256.Create(r2[b]), x1, s21);
            s30 = Vector256.FusedMultiplyAdd(Vector256.Create(r3[b]), x0, s30);
            s31 = Vector256.FusedMultiplyAdd(Vector256.Create(r3[b]), x1, s31);
        }

        double* xa = panel + ((long)a * Lanes);
        Add(s00, s01, xa, total);
        Add(s10, s11, xa + Lanes, total);
        Add(s20, s21, xa + (2 * Lanes), total);
        Add(s30, s31, xa + (3 * Lanes), total);
    }

    private static void Add(Vector256<double> s0, Vector256<double> s1, double* x, double* total)
    {
        Vector256.FusedMultiplyAdd(s0, Vector256.Load(x), Vector256.Load(total)).Store(total);
        Vector256.FusedMultiplyAdd(s1, Vector256.Load(x + RealLanes.Count), Vector256.Load(total + RealLanes.Count)).Store(total + RealLanes.Count);
    }

    /// <summary><c>forms[j] = (x_j − m)ᵀ A⁻¹ (x_j − m)</c>, A positive definite: with <c>A = L Lᵀ</c> it is <c>‖L⁻¹ (x_j − m)‖²</c>. Overwrites A by L.</summary>
    public void InverseForms(ReadOnlySpan<float> rows, ReadOnlySpan<double> mean, Span<double> forms)
    {
        Factorise();
        double* total = stackalloc double[Lanes];
        fixed (double* panel = new double[Lanes * _stride])
        {
            for (int j = 0; j < forms.Length; j += Lanes)
            {
                int lanes = Pack(rows, j, panel);
                Solve(panel, mean, total);
                new ReadOnlySpan<double>(total, lanes).CopyTo(forms[j..]);
            }
        }

        GC.KeepAlive(_elements);
    }

    // y = L⁻¹ (x − m) in place of x, and ‖y‖², for sixteen x side by side.
    private void Solve(double* panel, ReadOnlySpan<double> mean, double* total)
    {
        Vector256<double> s0 = default, s1 = default, s2 = default, s3 = default;
        for (int i = 0; i < Size; i++)
        {
            double* x = panel + ((long)i * Lanes);
            double* row = Start + ((long)i * _stride);
            Vector256<double> m = Vector256.Create(mean.IsEmpty ? 0 : mean[i]);
            Vector256<double> y0 = Vector256.Load(x) - m, y1 = Vector256.Load(x + 4) - m;
            Vector256<double> y2 = Vector256.Load(x + 8) - m, y3 = Vector256.Load(x + 12) - m;
            for (int c = 0; c < i; c++)
            {
                Vector256<double> l = Vector256.Create(-row[c]);
                double* y = panel + ((long)c * Lanes);
                y0 = Vector256.FusedMultiplyAdd(l, Vector256.Load(y), y0);
                y1 = Vector256.FusedMultiplyAdd(l, Vector256.Load(y + 4), y1);
                y2 = Vector256.FusedMultiplyAdd(l, Vector256.Load(y + 8), y2);
                y3 = Vector256.FusedMultiplyAdd(l, Vector256.Load(y + 12), y3);
            }

            Vector256<double> diagonal = Vector256.Create(row[i]);
            (y0, y1, y2, y3) = (y0 / diagonal, y1 / diagonal, y2 / diagonal, y3 / diagonal);
            (s0, s1) = (Vector256.FusedMultiplyAdd(y0, y0, s0), Vector256.FusedMultiplyAdd(y1, y1, s1));
            (s2, s3) = (Vector256.FusedMultiplyAdd(y2, y2, s2), Vector256.FusedMultiplyAdd(y3, y3, s3));
            y0.Store(x);
            y1.Store(x + 4);
            y2.Store(x + 8);
            y3.Store(x + 12);
        }

        s0.Store(total);
        s1.Store(total + 4);
        s2.Store(total + 8);
        s3.Store(total + 12);
    }

    // A = L Lᵀ by Cholesky, L in the lower half.
    private void Factorise()
    {
        for (int i = 0; i < Size; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                double rest = this[i, j];
                for (int c = 0; c < j; c++) rest = Math.FusedMultiplyAdd(-this[i, c], this[j, c], rest);
                this[i, j] = i == j ? Math.Sqrt(rest) : rest / this[j, j];
            }
        }
    }

    // Up to 16 rows side by side: element c of lane ℓ at panel[16c + ℓ]; missing lanes and elements are 0.
    private int Pack(ReadOnlySpan<float> rows, int first, double* panel)
    {
        int lanes = Math.Min(Lanes, (rows.Length / Size) - first);
        new Span<double>(panel, Lanes * _stride).Clear();
        for (int lane = 0; lane < lanes; lane++)
        {
            ReadOnlySpan<float> row = rows.Slice((first + lane) * Size, Size);
            for (int c = 0; c < Size; c++) panel[(c * Lanes) + lane] = row[c];
        }

        return lanes;
    }

    /// <summary>The direction in which a positive semidefinite A is largest, of length 1; 0 where A is 0.</summary>
    /// <remarks>
    /// A column of <c>A^(2^20)</c> by squaring twenty times, scaled by the trace each time: the part of an eigenvector whose value is less by a share of
    /// 4·10⁻⁵ is below rounding, and rounding moves the direction no more than one product does.
    /// </remarks>
    public double[] Principal()
    {
        RealMatrix power = this;
        for (int i = 0; i < 20; i++)
        {
            if (!power.ScaleToTraceOne()) return new double[Size];
            power = power.Squared();
        }

        int best = Enumerable.Range(0, Size).MaxBy(c => power[c, c]);
        double[] direction = [.. Enumerable.Range(0, Size).Select(c => power[best, c])];
        double norm = Math.Sqrt(direction.Sum(x => x * x));
        return norm > 0 ? [.. direction.Select(x => x / norm)] : new double[Size];
    }

    private bool ScaleToTraceOne()
    {
        double trace = 0;
        for (int c = 0; c < Size; c++) trace += this[c, c];
        if (!(trace > 0) || !double.IsFinite(trace)) return false;
        for (int i = 0; i < _elements.Length; i++) _elements[i] /= trace;
        return true;
    }

    // Four rows of A A at a time: each element a chain in ascending c.
    private RealMatrix Squared()
    {
        RealMatrix square = new(Size);
        for (int a = 0; a < _stride; a += Rows)
        {
            double* r0 = Start + ((long)a * _stride), r1 = r0 + _stride, r2 = r1 + _stride, r3 = r2 + _stride;
            for (int b = 0; b < _stride; b += RealLanes.Count)
            {
                Vector256<double> s0 = default, s1 = default, s2 = default, s3 = default;
                for (int c = 0; c < Size; c++)
                {
                    Vector256<double> x = Vector256.Load(Start + ((long)c * _stride) + b);
                    s0 = Vector256.FusedMultiplyAdd(Vector256.Create(r0[c]), x, s0);
                    s1 = Vector256.FusedMultiplyAdd(Vector256.Create(r1[c]), x, s1);
                    s2 = Vector256.FusedMultiplyAdd(Vector256.Create(r2[c]), x, s2);
                    s3 = Vector256.FusedMultiplyAdd(Vector256.Create(r3[c]), x, s3);
                }

                double* target = square.Start + ((long)a * _stride) + b;
                s0.Store(target);
                s1.Store(target + _stride);
                s2.Store(target + (2 * _stride));
                s3.Store(target + (3 * _stride));
            }
        }

        GC.KeepAlive(_elements);
        return square;
    }
}
