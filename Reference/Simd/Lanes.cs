using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KvIL.Reference.Simd;

/// <summary>Eight float32 lanes. Every operation here is elementwise and correctly rounded, or a sum in a written order: same bits at every vector width.</summary>
/// <remarks>
/// Eight, because every machine of interest has them or splits them cheaply; sixteen would be split in software wherever
/// AVX-512 is absent, at several times the cost. Only <see cref="Tile"/> uses sixteen, where the machine has them.
/// </remarks>
internal static class Lanes
{
    /// <summary>Lanes of a vector.</summary>
    public const int Count = 8;

    // exp(x) = 2^k · e^r,  k = rint(x · log2 e),  r = x − k · ln 2 in two parts,  |r| ≤ ln 2 / 2.
    private const float Log2E = 1.44269504f;
    private const float Ln2High = 0.693359375f;      // 9 bits: k · Ln2High is exact
    private const float Ln2Low = -2.12194440e-4f;
    private const float RoundingMagic = 12582912f;   // 1.5 · 2²³: adding it rounds to an integer in the low bits
    private const float SmallestArgument = -87.33654f; // exp of it is the smallest normal number
    private const float LargestArgument = 88.72283f;

    // 2u = x · (GeluLinear + GeluCubic · x²)
    private const float GeluLinear = 1.5957691216f;  // 2 √(2/π)
    private const float GeluCubic = 0.0713548163f;   // 2 √(2/π) · 0.044715

    /// <summary>e^x, relative error below 2 ulp; 0 below −87.33, +∞ above 88.72, NaN for NaN.</summary>
    /// <remarks>A degree-6 polynomial with the minimax coefficients of Cephes' expf (Moshier), evaluated by fused multiply-adds.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x)
    {
        Vector256<float> isBelow = Vector256.LessThan(x, Vector256.Create(SmallestArgument));
        Vector256<float> isAbove = Vector256.GreaterThan(x, Vector256.Create(LargestArgument));
        Vector256<float> clamped = Vector256.ConditionalSelect(
            isBelow, Vector256.Create(SmallestArgument), Vector256.ConditionalSelect(isAbove, Vector256.Create(LargestArgument), x));
        Vector256<float> magic = Vector256.Create(RoundingMagic);
        Vector256<float> shifted = Vector256.FusedMultiplyAdd(clamped, Vector256.Create(Log2E), magic);
        Vector256<float> k = shifted - magic;
        Vector256<float> r = Vector256.FusedMultiplyAdd(k, Vector256.Create(-Ln2High), clamped);
        r = Vector256.FusedMultiplyAdd(k, Vector256.Create(-Ln2Low), r);

        Vector256<float> p = Vector256.Create(1.9875691500e-4f);
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1.3981999507e-3f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(8.3334519073e-3f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(4.1665795894e-2f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1.6666665459e-1f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(5.0000001201e-1f));
        p = Vector256.FusedMultiplyAdd(p, r * r, r) + Vector256<float>.One;

        // 2^k in two steps, so that k = 128 does not overflow the exponent. The magic number's own low bits are 0.
        Vector256<int> exponent = shifted.AsInt32() << 23;
        Vector256<int> half = (exponent >> 1) & Vector256.Create(unchecked((int)0xFF800000));
        Vector256<float> y = (p.AsInt32() + half).AsSingle() * (Vector256<float>.One.AsInt32() + (exponent - half)).AsSingle();
        return Vector256.ConditionalSelect(isAbove, Vector256.Create(float.PositiveInfinity), Vector256.AndNot(y, isBelow));
    }

    /// <summary>2^x for x ≤ 0, relative error below 2 ulp; 0 below −126, NaN for NaN.</summary>
    /// <remarks>
    /// <c>2^k · 2^r, k = rint x, r = x − k</c> exactly. The polynomial of degree 6 is that of Cephes' exp2f (Moshier). Two thirds of the steps
    /// of <see cref="Exp"/>: nothing to clamp, and no ln 2 to take off in two parts.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp2OfNonPositive(Vector256<float> x)
    {
        Vector256<float> magic = Vector256.Create(RoundingMagic);
        Vector256<float> shifted = x + magic;
        Vector256<float> r = x - (shifted - magic);

        Vector256<float> p = Vector256.Create(1.535336188319500e-4f);
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1.339887440266574e-3f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(9.618437357674640e-3f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(5.550332471162809e-2f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(2.402264791363012e-1f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(6.931472028550421e-1f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256<float>.One);

        // Below −126 the product is anything; a NaN stays one.
        Vector256<float> y = p * (Vector256<float>.One.AsInt32() + (shifted.AsInt32() << 23)).AsSingle();
        return Vector256.AndNot(y, Vector256.LessThan(x, Vector256.Create(-126f)));
    }

    /// <summary>x / (1 + e^−x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Silu(Vector256<float> x) => x / (Vector256<float>.One + Exp(-x));

    /// <summary>gelu(x) = x/2 · (1 + tanh u) = x / (1 + e^−2u), u = √(2/π) (x + 0.044715 x³).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> GeluTanh(Vector256<float> x)
    {
        Vector256<float> twoU = x * Vector256.FusedMultiplyAdd(Vector256.Create(GeluCubic), x * x, Vector256.Create(GeluLinear));
        return x / (Vector256<float>.One + Exp(-twoU));
    }

    /// <summary>tanh x, relative error below 4 ulp; NaN for NaN.</summary>
    /// <remarks>|x| &lt; 0.625: x + x³ P(x²) with the minimax coefficients of Cephes' tanhf (Moshier); beyond: 1 − 2/(e^2|x| + 1) with x's sign.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Tanh(Vector256<float> x)
    {
        Vector256<float> z = x * x;
        Vector256<float> p = Vector256.Create(-5.70498872745e-3f);
        p = Vector256.FusedMultiplyAdd(p, z, Vector256.Create(2.06390887954e-2f));
        p = Vector256.FusedMultiplyAdd(p, z, Vector256.Create(-5.37397155531e-2f));
        p = Vector256.FusedMultiplyAdd(p, z, Vector256.Create(1.33314422036e-1f));
        p = Vector256.FusedMultiplyAdd(p, z, Vector256.Create(-3.33332819422e-1f));
        Vector256<float> near = Vector256.FusedMultiplyAdd(p * z, x, x);

        Vector256<float> size = Vector256.Abs(x);
        Vector256<float> far = Vector256<float>.One - (Vector256.Create(2f) / (Exp(size + size) + Vector256<float>.One));
        far = (far.AsInt32() | (x.AsInt32() & Vector256.Create(int.MinValue))).AsSingle();
        return Vector256.ConditionalSelect(Vector256.LessThan(size, Vector256.Create(0.625f)), near, far);
    }

    /// <summary>c · tanh(x / c).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SoftCap(Vector256<float> x, float cap) => Tanh(x / cap) * cap;

    /// <summary>Sum of all lanes in a fixed order: the upper half onto the lower, then (0 + 2) + (1 + 3).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> x)
    {
        Vector128<float> half = x.GetLower() + x.GetUpper();
        return (half[0] + half[2]) + (half[1] + half[3]);
    }

    /// <summary>Largest lane; NaN if any lane is NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(Vector256<float> x)
    {
        Vector128<float> half = Vector128.Max(x.GetLower(), x.GetUpper());
        return MathF.Max(MathF.Max(half[0], half[2]), MathF.Max(half[1], half[3]));
    }

    /// <summary>The first <paramref name="count"/> lanes from memory, zeros after them; reads nothing beyond.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector256<float> LoadPart(float* source, int count)
    {
        if (count >= Count)
        {
            return Vector256.Load(source);
        }

        float* part = stackalloc float[Count];
        Vector256<float>.Zero.Store(part);
        for (int i = 0; i < count; i++)
        {
            part[i] = source[i];
        }

        return Vector256.Load(part);
    }

    /// <summary>Stores the first <paramref name="count"/> lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void StorePart(Vector256<float> x, float* destination, int count)
    {
        if (count >= Count)
        {
            x.Store(destination);
            return;
        }

        float* part = stackalloc float[Count];
        x.Store(part);
        for (int i = 0; i < count; i++)
        {
            destination[i] = part[i];
        }
    }
}
