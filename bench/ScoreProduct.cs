using KvIL.Reference.Simd;
using KvIL.Reference.Threading;

namespace KvIL.Bench;

/// <summary>The matrix product of the Ada-SnapKV step and nothing else: <c>C[j, t] = k_j·q_t</c> for 32 queries of each query head over all rows.</summary>
/// <remarks>
/// The least that window scores of float32 rows can cost: the same tiles over the same keys in the same blocks, each C overwritten by
/// the next. Keys are read once for the queries of a group.
/// </remarks>
internal sealed unsafe class ScoreProduct(float* keys, int tokens, LayerShape shape, int threads) : IDisposable
{
    private const int RowsPerItem = 64;

    private readonly Workers _workers = new(threads);
    private readonly int _group = shape.QueryHeads / shape.KvHeads;
    private readonly float[] _panels = GC.AllocateArray<float>(shape.QueryHeads / shape.KvHeads * shape.HeadDim * Tile.Width, pinned: true);
    private readonly float[] _products = GC.AllocateArray<float>(threads * RowsPerItem * Tile.Width, pinned: true);

    /// <summary>Multiplications and additions.</summary>
    public double Operations => 2.0 * tokens * shape.QueryHeads * Tile.Width * shape.HeadDim;

    public void Run()
    {
        Array.Fill(_panels, 0.25f);
        fixed (float* panels = _panels, products = _products)
        {
            _workers.Run(new Blocks(keys, panels, products, _group, shape.HeadDim), tokens * shape.KvHeads / RowsPerItem);
        }
    }

    public void Dispose() => _workers.Dispose();

    // One item: some rows of one KV head, for all query heads of its group.
    private readonly struct Blocks(float* keys, float* panels, float* products, int group, int headDim) : IJob
    {
        public void Run(int index, int worker)
        {
            float* rows = keys + ((long)index * RowsPerItem * headDim);
            float* c = products + (worker * RowsPerItem * Tile.Width);
            for (int member = 0; member < group; member++)
            {
                Tile.Multiply(rows, headDim, 1, RowsPerItem, panels + (member * headDim * Tile.Width), headDim, c, accumulate: false);
            }
        }
    }
}
