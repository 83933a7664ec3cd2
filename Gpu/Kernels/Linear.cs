using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments of the products with a weight.</summary>
internal struct LinearArgs<T> where T : unmanaged
{
    public ArrayView<int> Block;

    /// <summary>F32 [n, in].</summary>
    public ArrayView<float> X;

    /// <summary>[out, in].</summary>
    public ArrayView<T> Weight;

    /// <summary>F32 [n, out], out.</summary>
    public ArrayView<float> Y;

    public BoundInt N;
    public int In;
    public int Out;
}

/// <summary><c>y[i, o] = Σ_k x[i, k] · weight[o, k]</c> for a few rows (decode).</summary>
/// <remarks>One group owns a (row, output); lanes run over k, so that neighbouring threads read neighbouring weights.</remarks>
internal readonly struct LinearRow<TElement, T> : IKernelBody<LinearArgs<T>>
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    public static void Run(LinearArgs<T> a)
    {
        ArrayView<float> lanes = SharedMemory.Allocate<float>(Team.Lanes);
        long items = (long)a.N.In(a.Block) * a.Out;
        for (long item = Grid.IdxX; item < items; item += Grid.DimX)
        {
            long row = item / a.Out;
            ArrayView<float> x = a.X.SubView(row * a.In, a.In);
            ArrayView<T> weight = a.Weight.SubView((item - (row * a.Out)) * a.In, a.In);
            for (int lane = Team.Thread; lane < Team.Lanes; lane += Team.Threads)
            {
                float sum = 0;
                for (int k = lane; k < a.In; k += Team.Lanes) sum = GpuMath.Fma(x[k], TElement.Load(weight[k]), sum);
                lanes[lane] = sum;
            }

            float total = Team.Sum(lanes);
            if (Team.Thread == 0) a.Y[item] = total;
            Group.Barrier();
        }
    }
}

/// <summary><c>y[i, o] = Σ_k x[i, k] · weight[o, k]</c> for many rows (prefill), each as one chain in ascending k.</summary>
/// <remarks>
/// One group owns a tile of 16 rows and 32 outputs; steps of 32 channels pass through shared memory, padded against bank
/// conflicts.
/// </remarks>
internal readonly struct LinearTile<TElement, T> : IKernelBody<LinearArgs<T>>
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    /// <summary>Rows of a tile.</summary>
    public const int TileRows = 16;

    /// <summary>Outputs of a tile.</summary>
    public const int TileOutputs = 32;

    private const int Step = 32;
    private const int Stride = Step + 1;

    public static void Run(LinearArgs<T> a)
    {
        ArrayView<float> xs = SharedMemory.Allocate<float>(TileRows * Stride);
        ArrayView<float> weights = SharedMemory.Allocate<float>(TileOutputs * Stride);
        ArrayView<float> sums = SharedMemory.Allocate<float>(TileRows * TileOutputs);
        int n = a.N.In(a.Block);
        int across = (a.Out + TileOutputs - 1) / TileOutputs;
        int down = (n + TileRows - 1) / TileRows;
        for (int item = Grid.IdxX; item < across * down; item += Grid.DimX)
        {
            int firstRow = item / across * TileRows;
            int firstOutput = (item - (item / across * across)) * TileOutputs;
            for (int e = Team.Thread; e < TileRows * TileOutputs; e += Team.Threads) sums[e] = 0;
            for (int k = 0; k < a.In; k += Step)
            {
                for (int e = Team.Thread; e < TileRows * Step; e += Team.Threads)
                {
                    (int r, int c) = (firstRow + (e / Step), k + (e % Step));
                    xs[(e / Step * Stride) + (e % Step)] = r < n && c < a.In ? a.X[((long)r * a.In) + c] : 0;
                }

                for (int e = Team.Thread; e < TileOutputs * Step; e += Team.Threads)
                {
                    (int r, int c) = (firstOutput + (e / Step), k + (e % Step));
                    weights[(e / Step * Stride) + (e % Step)] =
                        r < a.Out && c < a.In ? TElement.Load(a.Weight[((long)r * a.In) + c]) : 0;
                }

                Group.Barrier();
                Multiply(xs, weights, sums, IntrinsicMath.Min(Step, a.In - k));
                Group.Barrier();
            }

            for (int e = Team.Thread; e < TileRows * TileOutputs; e += Team.Threads)
            {
                (int r, int o) = (firstRow + (e / TileOutputs), firstOutput + (e % TileOutputs));
                if (r < n && o < a.Out) a.Y[((long)r * a.Out) + o] = sums[e];
            }
        }
    }

    // Element e of the tile belongs to the same thread in every step.
    private static void Multiply(ArrayView<float> xs, ArrayView<float> weights, ArrayView<float> sums, int depth)
    {
        for (int e = Team.Thread; e < TileRows * TileOutputs; e += Team.Threads)
        {
            float sum = sums[e];
            for (int k = 0; k < depth; k++)
            {
                sum = GpuMath.Fma(xs[(e / TileOutputs * Stride) + k], weights[(e % TileOutputs * Stride) + k], sum);
            }

            sums[e] = sum;
        }
    }
}

/// <summary>Arguments of <see cref="LinearBias{TElement, T}"/>.</summary>
internal struct LinearBiasArgs<T> where T : unmanaged
{
    public ArrayView<int> Block;

    /// <summary>[out].</summary>
    public ArrayView<T> Bias;

    /// <summary>F32 [n, out], in and out.</summary>
    public ArrayView<float> Y;

    public BoundInt N;
    public int Out;
}

/// <summary><c>y[i, o] += bias[o]</c>.</summary>
/// <remarks>One group owns a row, a thread every n-th output.</remarks>
internal readonly struct LinearBias<TElement, T> : IKernelBody<LinearBiasArgs<T>>
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    public static void Run(LinearBiasArgs<T> a)
    {
        for (int i = Grid.IdxX; i < a.N.In(a.Block); i += Grid.DimX)
        {
            for (int o = Team.Thread; o < a.Out; o += Team.Threads) a.Y[((long)i * a.Out) + o] += TElement.Load(a.Bias[o]);
        }
    }
}
