using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments of <see cref="Rotation"/>.</summary>
internal struct RotationArgs
{
    public ArrayView<int> Block;

    /// <summary>I32 [n].</summary>
    public ArrayView<int> Positions;

    /// <summary>F64 [F], radians per position.</summary>
    public ArrayView<double> Frequencies;

    /// <summary>F32 [n, 2F], out: cosines, then sines.</summary>
    public ArrayView<float> Y;

    public BoundInt N;

    /// <summary>m.</summary>
    public double Factor;
}

/// <summary><c>y[i, f] = m cos(positions[i] · ω_f)</c>, <c>y[i, F + f] = m sin(positions[i] · ω_f)</c>, in double, rounded once.</summary>
/// <remarks>
/// On the device, because positions are there. PTX has sine and cosine of single precision only, good to a few π;
/// this is the reduction and the polynomials of fdlibm (Sun Microsystems 1993): angle = k · π/2 + r, π/2 in three parts of
/// which the first two have 33 bits, so that k times them is exact for k &lt; 2²⁰. One thread owns an angle.
/// </remarks>
internal readonly struct Rotation : IKernelBody<RotationArgs>
{
    private const double TwoOverPi = 6.36619772367581382433e-01;
    private const double HalfPi1 = 1.57079632673412561417e+00;
    private const double HalfPi2 = 6.07710050630396597660e-11;
    private const double HalfPi3 = 2.02226624879595063154e-21;
    private const double RoundingMagic = 6755399441055744.0; // 1.5 · 2⁵²

    public static void Run(RotationArgs a)
    {
        int frequencies = (int)a.Frequencies.Length;
        for (int i = Grid.IdxX; i < a.N.In(a.Block); i += Grid.DimX)
        {
            ArrayView<float> y = a.Y.SubView((long)i * 2 * frequencies, 2 * frequencies);
            for (int f = Team.Thread; f < frequencies; f += Team.Threads)
            {
                double angle = a.Positions[i] * a.Frequencies[f];
                double k = ((angle * TwoOverPi) + RoundingMagic) - RoundingMagic;
                double r = ((angle - (k * HalfPi1)) - (k * HalfPi2)) - (k * HalfPi3);
                int quadrant = (int)((long)k & 3);
                double sin = Sin(r);
                double cos = Cos(r);
                double outerCos = (quadrant & 1) == 0 ? cos : sin;
                double outerSin = (quadrant & 1) == 0 ? sin : cos;
                y[f] = (float)(a.Factor * (quadrant == 1 || quadrant == 2 ? -outerCos : outerCos));
                y[frequencies + f] = (float)(a.Factor * (quadrant >= 2 ? -outerSin : outerSin));
            }
        }
    }

    // |r| <= π/4, error below 2⁻⁵⁷.
    private static double Sin(double r)
    {
        double z = r * r;
        double p = 1.58969099521155010221e-10;
        p = (p * z) - 2.50507602534068634195e-08;
        p = (p * z) + 2.75573137070700676789e-06;
        p = (p * z) - 1.98412698298579493134e-04;
        p = (p * z) + 8.33333333332248946124e-03;
        p = (p * z) - 1.66666666666666324348e-01;
        return r + (r * z * p);
    }

    private static double Cos(double r)
    {
        double z = r * r;
        double p = -1.13596475577881948265e-11;
        p = (p * z) + 2.08757232129817482790e-09;
        p = (p * z) - 2.75573143513906633035e-07;
        p = (p * z) + 2.48015872894767294178e-05;
        p = (p * z) - 1.38888888888741095749e-03;
        p = (p * z) + 4.16666666666666019037e-02;
        return 1.0 - ((0.5 * z) - (z * z * p));
    }
}

/// <summary>Arguments of <see cref="Rope"/>.</summary>
internal struct RopeArgs
{
    public ArrayView<int> Block;

    /// <summary>F32 [n, width].</summary>
    public ArrayView<float> X;

    /// <summary>F32 [n, 2F].</summary>
    public ArrayView<float> Rotation;

    /// <summary>F32 [n, width], out.</summary>
    public ArrayView<float> Y;

    public BoundInt N;
    public int Width;
    public int HeadDim;
    public int Frequencies;

    /// <summary>Distance from one pair to the next in x: 1 half-split, 2 interleaved.</summary>
    public int Step;

    /// <summary>Distance from the first channel of a pair to the second in x: F half-split, 1 interleaved.</summary>
    public int Partner;
}

/// <summary><c>y_f = a_f cos − b_f sin</c>, <c>y_{F+f} = b_f cos + a_f sin</c> in every head; channels from 2F on pass.</summary>
/// <remarks>One group owns a row, a thread every n-th channel.</remarks>
internal readonly struct Rope : IKernelBody<RopeArgs>
{
    public static void Run(RopeArgs a)
    {
        int half = a.Frequencies;
        for (int i = Grid.IdxX; i < a.N.In(a.Block); i += Grid.DimX)
        {
            ArrayView<float> x = a.X.SubView((long)i * a.Width, a.Width);
            ArrayView<float> rotation = a.Rotation.SubView((long)i * 2 * half, 2 * half);
            for (int e = Team.Thread; e < a.Width; e += Team.Threads)
            {
                int c = e % a.HeadDim;
                float y = x[e];
                if (c < 2 * half)
                {
                    int pair = c < half ? c : c - half;
                    int first = e - c + (a.Step * pair);
                    (float cos, float sin) = (rotation[pair], rotation[half + pair]);
                    y = c < half
                        ? (x[first] * cos) - (x[first + a.Partner] * sin)
                        : (x[first + a.Partner] * cos) + (x[first] * sin);
                }

                a.Y[((long)i * a.Width) + e] = y;
            }
        }
    }
}
