using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KvIL.Reference.Simd;

/// <summary>Four double lanes for what decides a selection and must not lose digits on the way: sums in a written order, the same bits at every vector width.</summary>
internal static unsafe class RealLanes
{
    /// <summary>Lanes of a vector.</summary>
    public const int Count = 4;

    /// <summary><paramref name="n"/> rounded up to whole vectors.</summary>
    public static int Padded(int n) => (n + Count - 1) / Count * Count;

    /// <summary><c>Σ_c x_c y_c</c> in two chains of four lanes; products of floats are exact.</summary>
    public static double Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        fixed (float* a = x, b = y)
        {
            return Dot(a, b, Math.Min(x.Length, y.Length));
        }
    }

    /// <inheritdoc cref="Dot(ReadOnlySpan{float}, ReadOnlySpan{float})"/>
    public static double Dot(float* x, float* y, int count)
    {
        Vector256<double> even = default, odd = default;
        int c = 0;
        for (; c <= count - (2 * Count); c += 2 * Count)
        {
            even = Vector256.FusedMultiplyAdd(Load(x + c), Load(y + c), even);
            odd = Vector256.FusedMultiplyAdd(Load(x + c + Count), Load(y + c + Count), odd);
        }

        double sum = Sum(even + odd);
        for (; c < count; c++) sum = Math.FusedMultiplyAdd(x[c], y[c], sum);
        return sum;
    }

    /// <summary><c>Σ_c x_c y_c</c> of doubles and floats.</summary>
    public static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<float> y)
    {
        Vector256<double> even = default, odd = default;
        int count = Math.Min(x.Length, y.Length), c = 0;
        fixed (double* a = x)
        fixed (float* b = y)
        {
            for (; c <= count - (2 * Count); c += 2 * Count)
            {
                even = Vector256.FusedMultiplyAdd(Vector256.Load(a + c), Load(b + c), even);
                odd = Vector256.FusedMultiplyAdd(Vector256.Load(a + c + Count), Load(b + c + Count), odd);
            }
        }

        double sum = Sum(even + odd);
        for (; c < count; c++) sum = Math.FusedMultiplyAdd(x[c], y[c], sum);
        return sum;
    }

    /// <summary><c>‖x‖₂</c>.</summary>
    public static double Norm(ReadOnlySpan<float> x) => Math.Sqrt(Dot(x, x));

    /// <summary><c>sum_c += factor · x_c</c>.</summary>
    public static void Add(double factor, ReadOnlySpan<float> x, Span<double> sum)
    {
        fixed (float* a = x)
        fixed (double* s = sum)
        {
            Vector256<double> f = Vector256.Create(factor);
            int c = 0;
            for (; c <= x.Length - Count; c += Count) Vector256.FusedMultiplyAdd(f, Load(a + c), Vector256.Load(s + c)).Store(s + c);
            for (; c < x.Length; c++) s[c] = Math.FusedMultiplyAdd(factor, a[c], s[c]);
        }
    }

    /// <summary>The rows of <c>[n, d]</c>, one after another.</summary>
    public static ReadOnlySpan<float> Row(ReadOnlySpan<float> rows, int row, int d) => rows.Slice(row * d, d);

    /// <summary>Four floats as doubles.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<double> Load(float* x) => Vector256.WidenLower(Vector128.Load(x).ToVector256Unsafe());

    /// <summary>(0 + 2) + (1 + 3).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Sum(Vector256<double> x) => (x[0] + x[2]) + (x[1] + x[3]);

    /// <summary>Zeroed doubles that stay where they are.</summary>
    public static double[] Pinned(long count) => GC.AllocateArray<double>(checked((int)count), pinned: true);

    /// <summary>Address of what <see cref="Pinned"/> gave.</summary>
    public static double* Address(double[] pinned) => (double*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(pinned));
}
