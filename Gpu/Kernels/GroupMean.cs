using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments of <see cref="GroupMean"/>.</summary>
internal struct GroupMeanArgs
{
    public ArrayView<int> Block;

    /// <summary>F32 [heads · group, length].</summary>
    public ArrayView<float> X;

    /// <summary>F32 [heads, length].</summary>
    public ArrayView<float> Y;

    public BoundInt Length;
    public int Heads;
    public int Group;
}

/// <summary><c>y[h, j] = (1/G) Σ_{i in group h} x[i, j]</c>, in ascending i.</summary>
/// <remarks>One thread owns a (head, row).</remarks>
internal readonly struct GroupMean : IKernelBody<GroupMeanArgs>
{
    public static void Run(GroupMeanArgs a)
    {
        int length = a.Length.In(a.Block);
        int chunks = (length + Rows.Chunk - 1) / Rows.Chunk;
        for (int item = Grid.IdxX; item < a.Heads * chunks; item += Grid.DimX)
        {
            int head = item / chunks;
            int first = (item - (head * chunks)) * Rows.Chunk;
            for (int j = first + Team.Thread; j < length && j < first + Rows.Chunk; j += Team.Threads)
            {
                float sum = a.X[((long)head * a.Group * length) + j];
                for (int i = 1; i < a.Group; i++) sum += a.X[((((long)head * a.Group) + i) * length) + j];
                a.Y[((long)head * length) + j] = sum / a.Group;
            }
        }
    }
}
