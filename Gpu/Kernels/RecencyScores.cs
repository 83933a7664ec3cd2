using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments of <see cref="RecencyScores"/>.</summary>
internal struct RecencyScoresArgs
{
    public ArrayView<int> Block;
    public RunTable Runs;

    /// <summary>F32 [kv_heads, length].</summary>
    public ArrayView<float> Y;

    public BoundInt Sequence;
    public BoundInt Length;
}

/// <summary><c>y[h, j]</c> = position of row j of head h; 0 beyond the run.</summary>
/// <remarks>One thread owns a (head, row).</remarks>
internal readonly struct RecencyScores : IKernelBody<RecencyScoresArgs>
{
    public static void Run(RecencyScoresArgs a)
    {
        int length = a.Length.In(a.Block);
        int chunks = (length + Rows.Chunk - 1) / Rows.Chunk;
        for (int item = Grid.IdxX; item < a.Runs.Heads * chunks; item += Grid.DimX)
        {
            int head = item / chunks;
            int first = (item - (head * chunks)) * Rows.Chunk;
            int run = (a.Sequence.In(a.Block) * a.Runs.Heads) + head;
            for (int j = first + Team.Thread; j < length && j < first + Rows.Chunk; j += Team.Threads)
            {
                a.Y[((long)head * length) + j] = j < a.Runs.Lengths[run] ? a.Runs.Positions[a.Runs.Starts[run] + j] : 0;
            }
        }
    }
}
