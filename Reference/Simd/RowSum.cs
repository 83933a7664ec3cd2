using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KvIL.Reference.Simd;

/// <summary>The sum of one weight row's products in two chains of eight lanes, so that four rows fit the registers.</summary>
internal unsafe struct RowSum
{
    private Vector256<float> _even;
    private Vector256<float> _odd;

    /// <summary>Adds sixteen products.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(Vector256<float> w0, Vector256<float> w1, Vector256<float> x0, Vector256<float> x1)
    {
        _even = Vector256.FusedMultiplyAdd(w0, x0, _even);
        _odd = Vector256.FusedMultiplyAdd(w1, x1, _odd);
    }

    /// <summary>The whole sum: the products from <paramref name="k"/> on, which fill no two vectors, are added one by one.</summary>
    /// <param name="x">The vector.</param>
    /// <param name="row">The weights.</param>
    /// <param name="k">The first product that is missing.</param>
    /// <param name="count">All products.</param>
    /// <param name="unscale">Factor that takes back what was done to x.</param>
    public readonly float Total<TElement>(float* x, byte* row, int k, int count, float unscale = 1) where TElement : struct, IElement
    {
        float sum = Lanes.Sum(_even + _odd);
        for (; k < count; k++)
        {
            sum = MathF.FusedMultiplyAdd(unscale * x[k], TElement.Load(row, k), sum);
        }

        return sum;
    }
}
