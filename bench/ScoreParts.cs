using System.Runtime.Intrinsics;
using KvIL.Reference.Simd;
using KvIL.Reference.Threading;

namespace KvIL.Bench;

/// <summary>What window scores of 32 queries cannot do without, each part alone: the matrix product and the exponentials.</summary>
/// <remarks>
/// <code>C[j, t] = k_j·q_t      for all rows j, over the same keys, in the same blocks and tiles as the step
/// E[j, t] = 2^(C[j, t] − m)</code>
/// A block is overwritten by the next, so nothing but the keys passes through memory. Keys are read once for the queries of a group.
/// </remarks>
internal sealed unsafe class ScoreParts(float* keys, int tokens, LayerShape shape, int threads) : IDisposable
{
    private const int RowsPerBlock = 64;

    private readonly Workers _workers = new(threads);
    private readonly int _group = shape.QueryHeads / shape.KvHeads;
    private readonly float[] _panels = GC.AllocateArray<float>(shape.QueryHeads / shape.KvHeads * shape.HeadDim * Tile.Width, pinned: true);
    private readonly float[] _blocks = GC.AllocateArray<float>(threads * RowsPerBlock * Tile.Width, pinned: true);

    /// <summary>Multiplications and additions of the product.</summary>
    public double Operations => 2.0 * tokens * shape.QueryHeads * Tile.Width * shape.HeadDim;

    /// <summary>Computes all C.</summary>
    public void Product()
    {
        Array.Fill(_panels, 0.25f);
        fixed (float* panels = _panels, blocks = _blocks)
        {
            _workers.Run(new ProductJob(keys, panels, blocks, _group, shape.HeadDim), tokens * shape.KvHeads / RowsPerBlock);
        }
    }

    /// <summary>Computes as many exponentials.</summary>
    public void Exponentials()
    {
        fixed (float* blocks = _blocks)
        {
            _workers.Run(new ExponentialJob(blocks, _group), tokens * shape.KvHeads / RowsPerBlock);
        }
    }

    public void Dispose() => _workers.Dispose();

    // One item: a block of one KV head, for all query heads of its group.
    private readonly struct ProductJob(float* keys, float* panels, float* blocks, int group, int headDim) : IJob
    {
        public void Run(int index, int worker)
        {
            float* rows = keys + ((long)index * RowsPerBlock * headDim);
            float* c = blocks + (worker * RowsPerBlock * Tile.Width);
            for (int member = 0; member < group; member++)
            {
                Tile.Multiply(rows, headDim, 1, RowsPerBlock, panels + (member * headDim * Tile.Width), headDim, c, accumulate: false);
            }
        }
    }

    private readonly struct ExponentialJob(float* blocks, int group) : IJob
    {
        public void Run(int index, int worker)
        {
            Vector256<float> maximum = Vector256<float>.One;
            for (int member = 0; member < group; member++)
            {
                float* c = blocks + (worker * RowsPerBlock * Tile.Width);
                for (float* end = c + (RowsPerBlock * Tile.Width); c < end; c += Lanes.Count)
                {
                    Lanes.Exp2OfNonPositive(Vector256.Load(c) - maximum).Store(c);
                }
            }
        }
    }
}
