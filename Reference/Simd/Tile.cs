using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KvIL.Reference.Simd;

/// <summary>The one product that prefill, scores and attention are made of: a few rows times a panel of 32 lanes.</summary>
/// <remarks>
/// <code>C[r, ℓ] = Σ_k A[r, k] · P[k, ℓ],   ℓ &lt; 32</code>
/// A panel holds 32 tokens, queries or outputs side by side: element k of lane ℓ at P[32k + ℓ]. Each C[r, ℓ] is one chain
/// of fused multiply-adds in ascending k, in one lane: the same bits at every vector width, for every split of the
/// rows. Sixteen accumulators hide the latency of the chains; each step loads two vectors and eight scalars for
/// sixteen multiply-adds.
/// </remarks>
internal static unsafe class Tile
{
    /// <summary>Lanes of a panel.</summary>
    public const int Width = 32;

    /// <summary>Rows computed at once.</summary>
    public const int Height = 8;

    private const int FloatsPerCacheLine = 16;

    /// <summary>Bits of the vectors that it is computed with.</summary>
    public static int VectorBits => HasSixteenLanes ? 512 : CpuFeatures.LaneBits;

    private static bool HasSixteenLanes => Vector512.IsHardwareAccelerated;

    /// <summary>Computes rows 0 to <paramref name="rows"/> - 1 of C, into or on top of what is there.</summary>
    /// <param name="a">A[r, k] at <c>a[r · rowStride + k · stepStride]</c>.</param>
    /// <param name="rowStride">Elements between rows of A.</param>
    /// <param name="stepStride">Elements between steps of A.</param>
    /// <param name="rows">Rows of A, at least 1.</param>
    /// <param name="panel">P, <c>[depth, 32]</c>.</param>
    /// <param name="depth">Steps of each chain.</param>
    /// <param name="c">C, <c>[rows, 32]</c>.</param>
    /// <param name="accumulate">Whether the chains go on from what C holds.</param>
    public static void Multiply(
        float* a, nint rowStride, nint stepStride, int rows, float* panel, int depth, float* c, bool accumulate)
    {
        for (; rows > Height; rows -= Height)
        {
            PrefetchEight(a + (Height * rowStride), rowStride, stepStride, depth);
            MultiplyEight(a, rowStride, stepStride, Height, panel, depth, c, accumulate);
            a += Height * rowStride;
            c += Height * Width;
        }

        if (rows == Height)
        {
            MultiplyEight(a, rowStride, stepStride, Height, panel, depth, c, accumulate);
        }
        else
        {
            MultiplyPart(a, rowStride, stepStride, rows, panel, depth, c, accumulate);
        }
    }

    // The next rows come while these are multiplied: a row is too short for a processor to notice that it should read ahead.
    private static void PrefetchEight(float* a, nint rowStride, nint stepStride, int depth)
    {
        for (int row = 0; row < Height && stepStride == 1 && Sse.IsSupported; row++)
        {
            for (int k = 0; k < depth; k += FloatsPerCacheLine)
            {
                Sse.Prefetch0(a + (row * rowStride) + k);
            }
        }
    }

    // Missing rows repeat the last one, and their results are thrown away.
    private static void MultiplyPart(
        float* a, nint rowStride, nint stepStride, int rows, float* panel, int depth, float* c, bool accumulate)
    {
        float* scratch = stackalloc float[Height * Width];
        if (accumulate)
        {
            new ReadOnlySpan<float>(c, rows * Width).CopyTo(new Span<float>(scratch, rows * Width));
        }

        MultiplyEight(a, rowStride, stepStride, rows, panel, depth, scratch, accumulate);
        new ReadOnlySpan<float>(scratch, rows * Width).CopyTo(new Span<float>(c, rows * Width));
    }

    private static void MultiplyEight(
        float* a, nint rowStride, nint stepStride, int rows, float* panel, int depth, float* c, bool accumulate)
    {
        if (HasSixteenLanes)
        {
            MultiplyEightBy32(a, rowStride, stepStride, rows, panel, depth, c, accumulate);
            return;
        }

        // Sixteen registers of eight lanes: four rows and sixteen lanes at a time, the same chains.
        for (int row = 0; row < Height; row += 4)
        {
            float* first = a + (Math.Min(row, rows - 1) * rowStride);
            int left = Math.Max(1, Math.Min(4, rows - row));
            MultiplyFourBy16(first, rowStride, stepStride, left, panel, depth, c + (row * Width), accumulate);
            MultiplyFourBy16(first, rowStride, stepStride, left, panel + 16, depth, c + (row * Width) + 16, accumulate);
        }
    }

    private static void MultiplyFourBy16(
        float* a, nint rowStride, nint stepStride, int rows, float* panel, int depth, float* c, bool accumulate)
    {
        nint r1 = Math.Min(1, rows - 1) * rowStride, r2 = Math.Min(2, rows - 1) * rowStride, r3 = Math.Min(3, rows - 1) * rowStride;
        Vector256<float> c00 = default, c01 = default, c10 = default, c11 = default;
        Vector256<float> c20 = default, c21 = default, c30 = default, c31 = default;
        if (accumulate)
        {
            c00 = Vector256.Load(c);
            c01 = Vector256.Load(c + 8);
            c10 = Vector256.Load(c + Width);
            c11 = Vector256.Load(c + Width + 8);
            c20 = Vector256.Load(c + (2 * Width));
            c21 = Vector256.Load(c + (2 * Width) + 8);
            c30 = Vector256.Load(c + (3 * Width));
            c31 = Vector256.Load(c + (3 * Width) + 8);
        }

        for (int k = 0; k < depth; k++)
        {
            Vector256<float> p0 = Vector256.Load(panel);
            Vector256<float> p1 = Vector256.Load(panel + 8);
            Vector256<float> w = Vector256.Create(a[0]);
            c00 = Vector256.FusedMultiplyAdd(w, p0, c00);
            c01 = Vector256.FusedMultiplyAdd(w, p1, c01);
            w = Vector256.Create(a[r1]);
            c10 = Vector256.FusedMultiplyAdd(w, p0, c10);
            c11 = Vector256.FusedMultiplyAdd(w, p1, c11);
            w = Vector256.Create(a[r2]);
            c20 = Vector256.FusedMultiplyAdd(w, p0, c20);
            c21 = Vector256.FusedMultiplyAdd(w, p1, c21);
            w = Vector256.Create(a[r3]);
            c30 = Vector256.FusedMultiplyAdd(w, p0, c30);
            c31 = Vector256.FusedMultiplyAdd(w, p1, c31);
            a += stepStride;
            panel += Width;
        }

        c00.Store(c);
        c01.Store(c + 8);
        c10.Store(c + Width);
        c11.Store(c + Width + 8);
        c20.Store(c + (2 * Width));
        c21.Store(c + (2 * Width) + 8);
        c30.Store(c + (3 * Width));
        c31.Store(c + (3 * Width) + 8);
    }

    private static void MultiplyEightBy32(
        float* a, nint rowStride, nint stepStride, int rows, float* panel, int depth, float* c, bool accumulate)
    {
        nint r1 = Math.Min(1, rows - 1) * rowStride, r2 = Math.Min(2, rows - 1) * rowStride;
        nint r3 = Math.Min(3, rows - 1) * rowStride, r4 = Math.Min(4, rows - 1) * rowStride;
        nint r5 = Math.Min(5, rows - 1) * rowStride, r6 = Math.Min(6, rows - 1) * rowStride;
        nint r7 = Math.Min(7, rows - 1) * rowStride;
        Vector512<float> c00 = default, c01 = default, c10 = default, c11 = default;
        Vector512<float> c20 = default, c21 = default, c30 = default, c31 = default;
        Vector512<float> c40 = default, c41 = default, c50 = default, c51 = default;
        Vector512<float> c60 = default, c61 = default, c70 = default, c71 = default;
        if (accumulate)
        {
            c00 = Vector512.Load(c);
            c01 = Vector512.Load(c + 16);
            c10 = Vector512.Load(c + 32);
            c11 = Vector512.Load(c + 48);
            c20 = Vector512.Load(c + 64);
            c21 = Vector512.Load(c + 80);
            c30 = Vector512.Load(c + 96);
            c31 = Vector512.Load(c + 112);
            c40 = Vector512.Load(c + 128);
            c41 = Vector512.Load(c + 144);
            c50 = Vector512.Load(c + 160);
            c51 = Vector512.Load(c + 176);
            c60 = Vector512.Load(c + 192);
            c61 = Vector512.Load(c + 208);
            c70 = Vector512.Load(c + 224);
            c71 = Vector512.Load(c + 240);
        }

        for (int k = 0; k < depth; k++)
        {
            Vector512<float> p0 = Vector512.Load(panel);
            Vector512<float> p1 = Vector512.Load(panel + 16);
            Vector512<float> w = Vector512.Create(a[0]);
            c00 = Vector512.FusedMultiplyAdd(w, p0, c00);
            c01 = Vector512.FusedMultiplyAdd(w, p1, c01);
            w = Vector512.Create(a[r1]);
            c10 = Vector512.FusedMultiplyAdd(w, p0, c10);
            c11 = Vector512.FusedMultiplyAdd(w, p1, c11);
            w = Vector512.Create(a[r2]);
            c20 = Vector512.FusedMultiplyAdd(w, p0, c20);
            c21 = Vector512.FusedMultiplyAdd(w, p1, c21);
            w = Vector512.Create(a[r3]);
            c30 = Vector512.FusedMultiplyAdd(w, p0, c30);
            c31 = Vector512.FusedMultiplyAdd(w, p1, c31);
            w = Vector512.Create(a[r4]);
            c40 = Vector512.FusedMultiplyAdd(w, p0, c40);
            c41 = Vector512.FusedMultiplyAdd(w, p1, c41);
            w = Vector512.Create(a[r5]);
            c50 = Vector512.FusedMultiplyAdd(w, p0, c50);
            c51 = Vector512.FusedMultiplyAdd(w, p1, c51);
            w = Vector512.Create(a[r6]);
            c60 = Vector512.FusedMultiplyAdd(w, p0, c60);
            c61 = Vector512.FusedMultiplyAdd(w, p1, c61);
            w = Vector512.Create(a[r7]);
            c70 = Vector512.FusedMultiplyAdd(w, p0, c70);
            c71 = Vector512.FusedMultiplyAdd(w, p1, c71);
            a += stepStride;
            panel += Width;
        }

        Store(c, c00, c01, c10, c11);
        Store(c + 64, c20, c21, c30, c31);
        Store(c + 128, c40, c41, c50, c51);
        Store(c + 192, c60, c61, c70, c71);
    }

    private static void Store(float* c, Vector512<float> a0, Vector512<float> a1, Vector512<float> b0, Vector512<float> b1)
    {
        a0.Store(c);
        a1.Store(c + 16);
        b0.Store(c + 32);
        b1.Store(c + 48);
    }
}
