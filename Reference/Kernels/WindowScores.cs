using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Simd;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary><c>y[i, j] = (1/w) Σ_t softmax_j(s_tj)</c> over the rows that query t sees.</summary>
/// <remarks>
/// The window is taken 32 queries at a time, and the query heads of a KV head four at a time: one <see cref="WindowSweep"/> over the
/// rows of the run for each.
/// </remarks>
internal sealed unsafe class WindowScoresStep(WindowScoresOp op) : Step
{
    // They share what reading a key costs; each needs 128 bytes of scratch a row.
    private const int HeadsPerSweep = 4;

    private readonly int _queryHeads = op.Y.Tensor.Shape[0].Max;
    private readonly int _maxLength = op.Y.Tensor.Shape[1].Max;
    private readonly StoreSpec _spec = op.Store.Store;

    private int Group => _queryHeads / _spec.NumKvHeads;

    private long PanelFloats => (long)_queryHeads * _spec.HeadDim * Tile.Width;

    public override long ScratchBytes(int workers) => DType.F32.SizeBytes(
        PanelFloats + WindowSweep.ScratchFloats(Math.Min(Group, HeadsPerSweep), _maxLength, _spec.HeadDim, workers));

    public override void Run(Frame f)
    {
        HostStore store = f.Store(op.Store);
        int w = f.Value(op.Queries), tokens = f.Value(op.Tokens), length = f.Value(op.Y.Tensor.Shape[1]);
        int sequence = f.Value(op.Sequence);
        QueryRing queries = new(f, op.Window, sequence, _spec.HeadDim);
        float* panels = (float*)f.Scratch;
        for (int first = 0; first < w; first += Tile.Width)
        {
            int lanes = Math.Min(Tile.Width, w - first);
            f.Workers.Run(new Panels(queries, tokens - w + first, lanes, panels, _spec.HeadDim), _queryHeads);
            for (int head = 0; head < _queryHeads;)
            {
                int heads = Math.Min(HeadsPerSweep, Group - (head % Group));
                WindowSweep sweep = new(
                    store, (sequence * _spec.NumKvHeads) + (head / Group), op.Rule, tokens - w + first, lanes, w,
                    panels + ((long)head * _spec.HeadDim * Tile.Width), heads, f.F32(op.Y) + ((long)head * length), length, panels + PanelFloats);
                sweep.Run(f.Workers, isFirst: first == 0);
                head += heads;
            }
        }
    }

    // One item: a query head.
    private readonly struct Panels(QueryRing queries, int firstPosition, int lanes, float* panels, int headDim) : IJob
    {
        public void Run(int index, int worker) => queries.Pack(firstPosition, lanes, index, panels + ((long)index * headDim * Tile.Width));
    }
}
