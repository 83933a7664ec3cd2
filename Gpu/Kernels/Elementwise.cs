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

    /// <summary>A factor or a cap.</summary>
    public float Parameter;
}

/// <summary>What an elementwise kernel computes.</summary>
internal interface IElementwise
{
    /// <summary>One element.</summary>
    static abstract float Apply(float a, float b, float parameter);
}

/// <summary><c>a + b</c>.</summary>
internal readonly struct Add : IElementwise
{
    public static float Apply(float a, float b, float parameter) => a + b;
}

/// <summary><c>silu(a) · b</c>, silu(x) = x / (1 + exp(−x)).</summary>
internal readonly struct SwiGlu : IElementwise
{
    public static float Apply(float a, float b, float parameter) => a / (1f + GpuMath.Exp(-a)) * b;
}

/// <summary><c>gelu(a) · b</c>, gelu(x) = x / (1 + exp(−2u)), u = √(2/π) (x + 0.044715 x³).</summary>
internal readonly struct GeGlu : IElementwise
{
    private const float Linear = 1.5957691216f; // 2 √(2/π)
    private const float Cubic = 0.0713548163f;  // 2 √(2/π) · 0.044715

    public static float Apply(float a, float b, float parameter) =>
        a / (1f + GpuMath.Exp(-(a * GpuMath.Fma(Cubic, a * a, Linear)))) * b;
}

/// <summary><c>parameter · a</c>.</summary>
internal readonly struct Scale : IElementwise
{
    public static float Apply(float a, float b, float parameter) => a * parameter;
}

/// <summary><c>parameter · tanh(a / parameter)</c>.</summary>
internal readonly struct SoftCap : IElementwise
{
    public static float Apply(float a, float b, float parameter) => GpuMath.SoftCap(a, parameter);
}

/// <summary>The larger one, NaN as −∞.</summary>
internal readonly struct Maximum : IElementwise
{
    public static float Apply(float a, float b, float parameter) =>
        GpuMath.LargerNumber(GpuMath.LargerNumber(float.NegativeInfinity, a), b);
}

/// <summary><c>y = f(a, b, parameter)</c>.</summary>
/// <remarks>One thread owns every n-th element, n the threads of the launch.</remarks>
internal readonly struct Elementwise<TFunction> : IKernelBody<ElementwiseArgs> where TFunction : struct, IElementwise
{
    public static void Run(ElementwiseArgs a)
    {
        long count = (long)a.RowCount.In(a.Block) * a.ColumnCount.In(a.Block);
        for (long i = ((long)Grid.IdxX * Team.Threads) + Team.Thread; i < count; i += (long)Grid.DimX * Team.Threads)
        {
            a.Y[i] = TFunction.Apply(a.A[i], a.B[i], a.Parameter);
        }
    }
}
