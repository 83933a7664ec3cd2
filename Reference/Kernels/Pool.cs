using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KvIL.Reference.Kernels;

/// <summary>
/// Combines each score of one row with its neighbours: an odd kernel k, stride 1, as many results as scores.
/// </summary>
/// <remarks>
/// <code>
/// max:  y[j] = max { x[j + o] : |o| ≤ ⌊k/2⌋, 0 ≤ j + o &lt; n }              rows beyond the ends do not count (−∞)
/// avg:  y[j] = (Σ { x[j + o] : |o| ≤ ⌊k/2⌋, 0 ≤ j + o &lt; n }) / k          rows beyond the ends count as 0
/// </code>
/// Offsets are taken in ascending order, in one lane per result (lanes run over j), so the bits do not depend on the vector
/// width. NaN orders as −∞ in max: it never wins, and a result without a number is −∞. In avg it spreads. O(n · k).
/// </remarks>
internal static class Pool
{
    /// <summary>The largest neighbour.</summary>
    /// <param name="x">F32 <c>[n]</c>.</param>
    /// <param name="kernel">k, odd and positive.</param>
    /// <param name="y">Out: F32 <c>[n]</c>; must not overlap <paramref name="x"/>.</param>
    public static void Max(ReadOnlySpan<float> x, int kernel, Span<float> y) => Run<Maximum>(x, kernel, y);

    /// <inheritdoc cref="Max"/>
    /// <summary>The mean over the kernel's width.</summary>
    public static void Average(ReadOnlySpan<float> x, int kernel, Span<float> y) => Run<Mean>(x, kernel, y);

    private static void Run<TPool>(ReadOnlySpan<float> x, int kernel, Span<float> y)
        where TPool : struct, IPool
    {
        Debug.Assert(kernel > 0 && kernel % 2 == 1 && y.Length == x.Length && !x.Overlaps(y));
        int half = kernel / 2;
        ref float x0 = ref MemoryMarshal.GetReference(x);
        ref float y0 = ref MemoryMarshal.GetReference(y);
        int j = 0;
        for (; j < x.Length && j < half; j++) y[j] = One<TPool>(x, kernel, j);

        // All neighbours of these sixteen results are inside the row.
        for (; j <= x.Length - half - Vector256<float>.Count; j += Vector256<float>.Count)
        {
            Vector256<float> sum = Vector256.Create(TPool.Identity);
            for (int o = -half; o <= half; o++) sum = TPool.Combine(sum, Vector256.LoadUnsafe(ref x0, (nuint)(j + o)));
            TPool.Finish(sum, kernel).StoreUnsafe(ref y0, (nuint)j);
        }

        for (; j < x.Length; j++) y[j] = One<TPool>(x, kernel, j);
    }

    private static float One<TPool>(ReadOnlySpan<float> x, int kernel, int j)
        where TPool : struct, IPool
    {
        int half = kernel / 2;
        float sum = TPool.Identity;
        for (int i = Math.Max(0, j - half); i <= Math.Min(x.Length - 1, j + half); i++) sum = TPool.Combine(sum, x[i]);
        return TPool.Finish(sum, kernel);
    }

    private interface IPool
    {
        static abstract float Identity { get; }

        static abstract float Combine(float sum, float x);

        static abstract Vector256<float> Combine(Vector256<float> sum, Vector256<float> x);

        static abstract float Finish(float sum, int kernel);

        static abstract Vector256<float> Finish(Vector256<float> sum, int kernel);
    }

    private readonly struct Maximum : IPool
    {
        public static float Identity => float.NegativeInfinity;

        // A comparison with NaN is false.
        public static float Combine(float sum, float x) => x > sum ? x : sum;

        public static Vector256<float> Combine(Vector256<float> sum, Vector256<float> x) =>
            Vector256.ConditionalSelect(Vector256.GreaterThan(x, sum), x, sum);

        public static float Finish(float sum, int kernel) => sum;

        public static Vector256<float> Finish(Vector256<float> sum, int kernel) => sum;
    }

    private readonly struct Mean : IPool
    {
        public static float Identity => 0;

        public static float Combine(float sum, float x) => sum + x;

        public static Vector256<float> Combine(Vector256<float> sum, Vector256<float> x) => sum + x;

        public static float Finish(float sum, int kernel) => sum / kernel;

        public static Vector256<float> Finish(Vector256<float> sum, int kernel) => sum / kernel;
    }
}
