using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments of elementwise kernels.</summary>
internal struct ElementwiseArgs
{
    public ArrayView<int> Block;

    /// <summary>F32 [rows, columns].</summary>
    public ArrayView<float> A;

    /// <summary>F32 [rows, columns].</summary>
    public ArrayView<float> B;

    /// <summary>F32 [rows, columns], out.</summary>
    public ArrayView<float> Y;

    public BoundInt RowCount;
    public BoundInt ColumnCount;
}

/// <summary>What an elementwise kernel computes.</summary>
internal interface IElementwise
{
    /// <summary>One element.</summary>
    static abstract float Apply(float a, float b);
}

/// <summary><c>a + b</c>.</summary>
internal readonly struct Add : IElementwise
{
    public static float Apply(float a, float b) => a + b;
}

/// <summary><c>silu(a) · b</c>, silu(x) = x / (1 + exp(−x)).</summary>
internal readonly struct SwiGlu : IElementwise
{
    public static float Apply(float a, float b) => a / (1f + GpuMath.Exp(-a)) * b;
}

/// <summary>The larger one, NaN as −∞.</summary>
internal readonly struct Maximum : IElementwise
{
    public static float Apply(float a, float b) =>
        GpuMath.LargerNumber(GpuMath.LargerNumber(float.NegativeInfinity, a), b);
}

/// <summary><c>y = f(a, b)</c>.</summary>
/// <remarks>One thread owns every n-th element, n the threads of the launch.</remarks>
internal readonly struct Elementwise<TFunction> : IKernelBody<ElementwiseArgs> where TFunction : struct, IElementwise
{
    public static void Run(ElementwiseArgs a)
    {
        long count = (long)a.RowCount.In(a.Block) * a.ColumnCount.In(a.Block);
        for (long i = ((long)Grid.IdxX * Team.Threads) + Team.Thread; i < count; i += (long)Grid.DimX * Team.Threads)
        {
            a.Y[i] = TFunction.Apply(a.A[i], a.B[i]);
        }
    }
}
