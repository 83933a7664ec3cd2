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

    /// <summary>The whole sum, with the products from <paramref name="k"/> on, which fill no two vectors, one by one.</summary>
    public readonly float Total<TRest>(float* x, int k, int count, TRest rest) where TRest : struct, IRest
    {
        float sum = Lanes.Sum(_even + _odd);
        for (; k < count; k++)
        {
            sum = MathF.FusedMultiplyAdd(rest.Scale * x[k], rest.Weight(k), sum);
        }

        return sum;
    }
}

/// <summary>The end of a row, element by element.</summary>
internal interface IRest
{
    /// <summary>Factor that takes back what was done to x.</summary>
    float Scale { get; }

    /// <summary>Weight <paramref name="k"/> of the row.</summary>
    float Weight(int k);
}

/// <summary>The end of a row of plain elements.</summary>
internal readonly unsafe struct Rest<TElement>(byte* row, float scale = 1) : IRest where TElement : struct, IElement
{
    private readonly byte* _row = row;

    public float Scale { get; } = scale;

    public float Weight(int k) => TElement.Load(_row, k);
}
