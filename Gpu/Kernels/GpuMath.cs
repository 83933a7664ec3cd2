using ILGPU;
using ILGPU.Runtime.Cuda;

namespace KvIL.Gpu.Kernels;

/// <summary>The float arithmetic of kernels, in a written order. Nothing else calls a library function.</summary>
internal static class GpuMath
{
    /// <summary>Stands in for −∞ as a running maximum: finite, so that exp(−∞ − floor) is 0 and not NaN.</summary>
    public const float MaximumFloor = -1e30f;

    // exp(x) = 2^k · e^r,  k = rint(x · log2 e),  r = x − k · ln 2 in two parts,  |r| ≤ ln 2 / 2.
    private const float Log2E = 1.44269504f;
    private const float Ln2High = 0.693359375f;        // 9 bits: k · Ln2High is exact
    private const float Ln2Low = -2.12194440e-4f;
    private const float RoundingMagic = 12582912f;     // 1.5 · 2²³: adding it rounds to an integer in the low bits
    private const float SmallestArgument = -87.33654f; // exp of it is the smallest normal number
    private const float LargestArgument = 88.72283f;

    /// <summary><c>a · b + c</c>, rounded once where the device has a fused multiply-add.</summary>
    public static float Fma(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);

    /// <summary>e^x, relative error below 2 ulp; 0 below −87.33, +∞ above 88.72, NaN for NaN.</summary>
    /// <remarks>
    /// The polynomial of Cephes' expf (Moshier) in the operations of Reference's vectors, hence the same bits. NaN is turned
    /// away first, because integer operations on its bits would make it a number.
    /// </remarks>
    public static float Exp(float x)
    {
        if (!(x >= SmallestArgument)) return x < SmallestArgument ? 0 : x;
        if (x > LargestArgument) return float.PositiveInfinity;
        float shifted = Fma(x, Log2E, RoundingMagic);
        float k = shifted - RoundingMagic;
        float r = Fma(k, -Ln2Low, Fma(k, -Ln2High, x));

        float p = 1.9875691500e-4f;
        p = Fma(p, r, 1.3981999507e-3f);
        p = Fma(p, r, 8.3334519073e-3f);
        p = Fma(p, r, 4.1665795894e-2f);
        p = Fma(p, r, 1.6666665459e-1f);
        p = Fma(p, r, 5.0000001201e-1f);
        p = Fma(p, r * r, r) + 1f;

        // 2^k in two steps, so that k = 128 does not overflow the exponent.
        int exponent = (int)k;
        int half = exponent >> 1;
        return p * PowerOfTwo(half) * PowerOfTwo(exponent - half);
    }

    /// <summary>tanh x, relative error below 4 ulp; NaN for NaN.</summary>
    /// <remarks>The operations of Reference's vectors: Cephes' tanhf (Moshier) below 0.625, 1 − 2/(e^2|x| + 1) beyond.</remarks>
    public static float Tanh(float x)
    {
        float size = x < 0 ? -x : x;
        if (size < 0.625f)
        {
            float z = x * x;
            float p = -5.70498872745e-3f;
            p = Fma(p, z, 2.06390887954e-2f);
            p = Fma(p, z, -5.37397155531e-2f);
            p = Fma(p, z, 1.33314422036e-1f);
            p = Fma(p, z, -3.33332819422e-1f);
            return Fma(p * z, x, x);
        }

        float far = 1f - (2f / (Exp(size + size) + 1f));
        return x < 0 ? -far : far;
    }

    /// <summary>c · tanh(x / c); x where c is 0, which stands for no cap.</summary>
    public static float SoftCap(float x, float cap) => cap > 0 ? Tanh(x / cap) * cap : x;

    /// <summary><c>Σ_k a[k] · b[k]</c> as one chain of fused multiply-adds in ascending k.</summary>
    public static float Dot<TElement, T>(ArrayView<float> a, ArrayView<T> b, int count)
        where TElement : struct, IElement<T>
        where T : unmanaged
    {
        float sum = 0;
        for (int k = 0; k < count; k++) sum = Fma(a[k], TElement.Load(b[k]), sum);
        return sum;
    }

    /// <summary>The larger one; NaN never wins.</summary>
    public static float LargerNumber(float largest, float candidate) => candidate > largest ? candidate : largest;

    private static float PowerOfTwo(int k) => Interop.IntAsFloat((uint)(k + 127) << 23);
}

/// <summary>What ILGPU puts in the place of .NET's fused multiply-add, which its PTX backend leaves as an unresolved external.</summary>
internal static class DeviceMath
{
    /// <summary><c>fma.rn.f32</c>; on devices without inline PTX a product and a sum, which their compilers may fuse.</summary>
    public static float FusedMultiplyAdd(float a, float b, float c)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("fma.rn.f32 %0, %1, %2, %3;", out float result, a, b, c);
            return result;
        }

        return (a * b) + c;
    }
}
