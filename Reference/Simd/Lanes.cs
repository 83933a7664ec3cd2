using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KvIL.Reference.Simd;

/// <summary>Sixteen float32 lanes. Every operation here is elementwise and correctly rounded, or a sum in a written order: same bits at every vector width.</summary>
internal static class Lanes
{
    /// <summary>Lanes of a vector.</summary>
    public const int Count = 16;

    // exp(x) = 2^k · e^r,  k = rint(x · log2 e),  r = x − k · ln 2 in two parts,  |r| ≤ ln 2 / 2.
    private const float Log2E = 1.44269504f;
    private const float Ln2High = 0.693359375f;      // 9 bits: k · Ln2High is exact
    private const float Ln2Low = -2.12194440e-4f;
    private const float RoundingMagic = 12582912f;   // 1.5 · 2²³: adding it rounds to an integer in the low bits
    private const float SmallestArgument = -87.33654f; // exp of it is the smallest normal number
    private const float LargestArgument = 88.72283f;

    /// <summary>e^x, relative error below 2 ulp; 0 below −87.33, +∞ above 88.72, NaN for NaN.</summary>
    /// <remarks>A degree-6 polynomial with the minimax coefficients of Cephes' expf (Moshier), evaluated by fused multiply-adds.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        Vector512<float> clamped = Vector512.Min(Vector512.Max(x, Vector512.Create(SmallestArgument)), Vector512.Create(LargestArgument));
        Vector512<float> magic = Vector512.Create(RoundingMagic);
        Vector512<float> shifted = Vector512.FusedMultiplyAdd(clamped, Vector512.Create(Log2E), magic);
        Vector512<float> k = shifted - magic;
        Vector512<float> r = Vector512.FusedMultiplyAdd(k, Vector512.Create(-Ln2High), clamped);
        r = Vector512.FusedMultiplyAdd(k, Vector512.Create(-Ln2Low), r);

        Vector512<float> p = Vector512.Create(1.9875691500e-4f);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.3981999507e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(8.3334519073e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(4.1665795894e-2f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.6666665459e-1f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(5.0000001201e-1f));
        p = Vector512.FusedMultiplyAdd(p, r * r, r) + Vector512<float>.One;

        // 2^k in two steps, so that k = 128 does not overflow the exponent.
        Vector512<int> exponent = (shifted.AsInt32() << 23) - (magic.AsInt32() << 23);
        Vector512<int> half = (exponent >> 1) & Vector512.Create(unchecked((int)0xFF800000));
        Vector512<float> y = (p.AsInt32() + half).AsSingle() * (Vector512<float>.One.AsInt32() + (exponent - half)).AsSingle();
        y = Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(SmallestArgument)), Vector512<float>.Zero, y);
        return Vector512.ConditionalSelect(
            Vector512.GreaterThan(x, Vector512.Create(LargestArgument)), Vector512.Create(float.PositiveInfinity), y);
    }

    /// <summary>x / (1 + e^−x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Silu(Vector512<float> x) => x / (Vector512<float>.One + Exp(-x));

    /// <summary>Sum of all lanes in a fixed order: halves onto each other until four remain, then (0 + 2) + (1 + 3).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> x)
    {
        Vector256<float> half = x.GetLower() + x.GetUpper();
        Vector128<float> quarter = half.GetLower() + half.GetUpper();
        return (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
    }

    /// <summary>Largest lane; NaN if any lane is NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(Vector512<float> x)
    {
        Vector256<float> half = Vector256.Max(x.GetLower(), x.GetUpper());
        Vector128<float> quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        return MathF.Max(MathF.Max(quarter[0], quarter[2]), MathF.Max(quarter[1], quarter[3]));
    }

    /// <summary>The first <paramref name="count"/> lanes from memory, zeros after them; reads nothing beyond.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector512<float> LoadPart(float* source, int count)
    {
        if (count >= Count)
        {
            return Vector512.Load(source);
        }

        float* part = stackalloc float[Count];
        Vector512<float>.Zero.Store(part);
        for (int i = 0; i < count; i++)
        {
            part[i] = source[i];
        }

        return Vector512.Load(part);
    }

    /// <summary>Stores the first <paramref name="count"/> lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void StorePart(Vector512<float> x, float* destination, int count)
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
