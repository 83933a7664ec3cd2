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

    /// <summary><c>Σ_k x[k] · row[k]</c>, x being scaled.</summary>
    public static float Dot(float* x, byte* row, int count)
    {
        RowSum sum = default;
        Vector256<ushort> largest = default;
        int k = 0;
        for (; k <= count - 16; k += 16)
        {
            Take(row, k, Vector256.Load(x + k), Vector256.Load(x + k + 8), ref sum, ref largest);
        }

        return HoldsSpecials(largest) ? DotWithSpecials(x, row, count) : sum.Total<F16Element>(x, row, k, count, Unscale);
    }

    public static Vector128<float> DotFour(float* x, byte* row, long stride, int count)
    {
        byte* row1 = row + stride, row2 = row1 + stride, row3 = row2 + stride;
        RowSum sum0 = default, sum1 = default, sum2 = default, sum3 = default;
        Vector256<ushort> largest = default;
        int k = 0;
        for (; k <= count - 16; k += 16)
        {
            Vector256<float> x0 = Vector256.Load(x + k), x1 = Vector256.Load(x + k + 8);
            Take(row, k, x0, x1, ref sum0, ref largest);
            Take(row1, k, x0, x1, ref sum1, ref largest);
            Take(row2, k, x0, x1, ref sum2, ref largest);
            Take(row3, k, x0, x1, ref sum3, ref largest);
        }

        return HoldsSpecials(largest)
            ? Vector128.Create(Dot(x, row, count), Dot(x, row1, count), Dot(x, row2, count), Dot(x, row3, count))
            : Vector128.Create(
                sum0.Total<F16Element>(x, row, k, count, Unscale), sum1.Total<F16Element>(x, row1, k, count, Unscale),
                sum2.Total<F16Element>(x, row2, k, count, Unscale), sum3.Total<F16Element>(x, row3, k, count, Unscale));
    }

    public static void Widen(byte* row, float* destination, long count) => Elements.Widen<F16Element>(row, destination, count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Take(byte* row, int k, Vector256<float> x0, Vector256<float> x1, ref RowSum sum, ref Vector256<ushort> largest)
    {
        short* w = (short*)row + k;
        sum.Add(Placed(w), Placed(w + 8), x0, x1);
        Vector256<ushort> bits = Vector256.Load((ushort*)w);
        largest = Vector256.Max(bits + bits, largest);
    }

    // Without the sign, infinities and NaN are the 16-bit numbers from 0xF800 on.
    private static bool HoldsSpecials(Vector256<ushort> largest) => Vector256.GreaterThanOrEqualAny(largest, Vector256.Create((ushort)0xF800));

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
