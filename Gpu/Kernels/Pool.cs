using ILGPU;
using KvIL.Eviction;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments of <see cref="Pool{TPool}"/>.</summary>
internal struct PoolArgs
{
    public ArrayView<int> Block;
    public RunTable Runs;

    /// <summary>F32 [heads, length].</summary>
    public ArrayView<float> X;

    /// <summary>F32 [heads, length].</summary>
    public ArrayView<float> Y;

    public BoundInt Sequence;
    public BoundInt Window;
    public BoundInt Length;
    public int Heads;
    public int Kernel;
}

/// <summary>How neighbours are joined.</summary>
internal interface IPool
{
    /// <summary>What no neighbour counts as.</summary>
    static abstract float Identity { get; }

    /// <summary>One more neighbour.</summary>
    static abstract float Combine(float sum, float x);

    /// <summary>The result.</summary>
    static abstract float Finish(float sum, int kernel);
}

/// <summary>The largest; NaN never wins.</summary>
internal readonly struct Largest : IPool
{
    public static float Identity => float.NegativeInfinity;

    public static float Combine(float sum, float x) => GpuMath.LargerNumber(sum, x);

    public static float Finish(float sum, int kernel) => sum;
}

/// <summary>The sum over the kernel's width.</summary>
internal readonly struct Average : IPool
{
    public static float Identity => 0;

    public static float Combine(float sum, float x) => sum + x;

    public static float Finish(float sum, int kernel) => sum / kernel;
}

/// <summary><c>y[h, j] = pool(x[h, j − k/2 .. j + k/2])</c> over the scored rows, in ascending row; 0 beyond them.</summary>
/// <remarks>One thread owns a (head, row).</remarks>
internal readonly struct Pool<TPool> : IKernelBody<PoolArgs> where TPool : struct, IPool
{
    public static void Run(PoolArgs a)
    {
        int length = a.Length.In(a.Block);
        int chunks = (length + Rows.Chunk - 1) / Rows.Chunk;
        for (int item = Grid.IdxX; item < a.Heads * chunks; item += Grid.DimX)
        {
            int head = item / chunks;
            int first = (item - (head * chunks)) * Rows.Chunk;
            int held = a.Runs.Lengths[(a.Sequence.In(a.Block) * a.Runs.Heads) + (head / (a.Heads / a.Runs.Heads))];
            int scored = held - ProtectedRows.Window(held, a.Window.In(a.Block));
            ArrayView<float> x = a.X.SubView((long)head * length, length);
            for (int j = first + Team.Thread; j < length && j < first + Rows.Chunk; j += Team.Threads)
            {
                a.Y[((long)head * length) + j] = j < scored ? One(x, scored, a.Kernel, j) : 0;
            }
        }
    }

    private static float One(ArrayView<float> x, int scored, int kernel, int j)
    {
        int begin = IntrinsicMath.Max(j - (kernel / 2), 0);
        int end = IntrinsicMath.Min(j + (kernel / 2), scored - 1);
        float sum = TPool.Identity;
        for (int i = begin; i <= end; i++) sum = TPool.Combine(sum, x[i]);
        return TPool.Finish(sum, kernel);
    }
}
