using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KvIL.Reference.Simd;

/// <summary>Rows of binary16 weights against an x that was scaled by 2¹¹².</summary>
/// <remarks>
/// <code>x · w = (2¹¹² x) · (2⁻¹¹² w)</code>
/// A binary16 whose exponent and fraction are shifted into place is 2⁻¹¹² w as a binary32, subnormals included. A fused multiply-add rounds once, after
/// the exact product, so scaling x in advance gives the same bits as rescaling every weight, which costs more than
/// the product itself. Infinities and NaN come out wrong; rows that hold any, which models do not, are taken again.
/// </remarks>
internal readonly unsafe struct HalfRows : IWeightRows
{
    private const float Scale = 5.192296858534828e33f;    // 2¹¹²
    private const float Unscale = 1.925929944387236e-34f; // 2⁻¹¹²
    private const int SignExponentFraction = unchecked((int)0x8FFFE000);

    public static bool IsF32 => false;

    /// <summary><c>scaled[k] = 2¹¹² x[k]</c>: exact.</summary>
    /// <returns>False where an element has no such multiple; then these rows cannot be used.</returns>
    public static bool TryScale(float* x, float* scaled, long count)
    {
        bool isFinite = true;
        for (long k = 0; k < count; k++)
        {
            scaled[k] = x[k] * Scale;
            isFinite &= float.IsFinite(scaled[k]);
        }

        return isFinite;
    }

    /// <summary><c>Σ_k x[k] · row[k]</c> in four chains of eight lanes, x being scaled.</summary>
    public static float Dot(float* x, byte* row, int count)
    {
        short* w = (short*)row;
        Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default;
        Vector256<ushort> largest = default;
        int k = 0;
        for (; k <= count - 32; k += 32)
        {
            s0 = Vector256.FusedMultiplyAdd(Placed(w + k), Vector256.Load(x + k), s0);
            s1 = Vector256.FusedMultiplyAdd(Placed(w + k + 8), Vector256.Load(x + k + 8), s1);
            s2 = Vector256.FusedMultiplyAdd(Placed(w + k + 16), Vector256.Load(x + k + 16), s2);
            s3 = Vector256.FusedMultiplyAdd(Placed(w + k + 24), Vector256.Load(x + k + 24), s3);
            Vector256<ushort> first = Vector256.Load((ushort*)w + k), second = Vector256.Load((ushort*)w + k + 16);
            largest = Vector256.Max(Vector256.Max(first + first, second + second), largest);
        }

        // Without the sign, infinities and NaN are the 16-bit numbers from 0xF800 on.
        if (Vector256.GreaterThanOrEqualAny(largest, Vector256.Create((ushort)0xF800)))
        {
            return DotWithSpecials(x, row, count);
        }

        float sum = Lanes.Sum((s0 + s1) + (s2 + s3));
        for (; k < count; k++)
        {
            sum = MathF.FusedMultiplyAdd(x[k] * Unscale, F16Element.Load(row, k), sum);
        }

        return sum;
    }

    public static void Widen(byte* row, float* destination, long count) => Elements.Widen<F16Element>(row, destination, count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Placed(short* w) => ((Elements.Load8(w) << 13) & Vector256.Create(SignExponentFraction)).AsSingle();

    private static float DotWithSpecials(float* x, byte* row, int count)
    {
        float sum = 0;
        for (int k = 0; k < count; k++)
        {
            sum = MathF.FusedMultiplyAdd(x[k] * Unscale, F16Element.Load(row, k), sum);
        }

        return sum;
    }
}
