using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments of <see cref="RmsNorm{TElement, T}"/>.</summary>
internal struct RmsNormArgs<T> where T : unmanaged
{
    public ArrayView<int> Block;

    /// <summary>F32 [n, groups, width].</summary>
    public ArrayView<float> X;

    /// <summary>[width].</summary>
    public ArrayView<T> Weight;

    /// <summary>F32 [n, groups, width], out.</summary>
    public ArrayView<float> Y;

    public BoundInt N;
    public int Groups;
    public int Width;
    public float Epsilon;

    /// <summary>Added to the weight.</summary>
    public float Offset;
}

/// <summary><c>y = (offset + weight) · x / √(mean(x²) + ε)</c> over each group of a row.</summary>
/// <remarks>One group of threads owns a group of channels; lanes sum its squares.</remarks>
internal readonly struct RmsNorm<TElement, T> : IKernelBody<RmsNormArgs<T>>
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    public static void Run(RmsNormArgs<T> a)
    {
        ArrayView<float> lanes = SharedMemory.Allocate<float>(Team.Lanes);
        for (int i = Grid.IdxX; i < a.N.In(a.Block) * a.Groups; i += Grid.DimX)
        {
            ArrayView<float> x = a.X.SubView((long)i * a.Width, a.Width);
            for (int lane = Team.Thread; lane < Team.Lanes; lane += Team.Threads)
            {
                float sum = 0;
                for (int k = lane; k < a.Width; k += Team.Lanes) sum = GpuMath.Fma(x[k], x[k], sum);
                lanes[lane] = sum;
            }

            float meanSquare = Team.Sum(lanes) / a.Width;
            float scale = 1f / MathF.Sqrt(meanSquare + a.Epsilon);
            for (int k = Team.Thread; k < a.Width; k += Team.Threads)
            {
                a.Y[((long)i * a.Width) + k] = (a.Offset + TElement.Load(a.Weight[k])) * (x[k] * scale);
            }

            Group.Barrier();
        }
    }
}
