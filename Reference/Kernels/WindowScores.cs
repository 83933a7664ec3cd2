using System.Runtime.Intrinsics;
using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Simd;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary><c>y[i, j] = (1/w) Σ_t softmax_j(s_tj)</c> over the rows that query t sees.</summary>
/// <remarks>
/// These scores decide what is kept, so their bits are the same at every vector width and thread count (<see cref="AttentionPanel"/>):
/// the mean adds queries in eights, each eight in the order of <see cref="Lanes.Sum"/>.
/// Logits are held for 32 queries at a time: 128 bytes a row.
/// </remarks>
internal sealed unsafe class WindowScoresStep(WindowScoresOp op) : Step
{
    private readonly int _queryHeads = op.Y.Tensor.Shape[0].Max;
    private readonly int _maxLength = op.Y.Tensor.Shape[1].Max;
    private readonly int _headDim = op.Store.Store.HeadDim;

    private long FloatsPerWorker => ((long)_maxLength * Tile.Width) + AttentionPanel.ScratchFloats(_headDim);

    public override long ScratchBytes(int workers) => DType.F32.SizeBytes(workers * FloatsPerWorker);

    public override void Run(Frame f)
    {
        int length = f.Value(op.Y.Tensor.Shape[1]);
        QueryRing queries = new(f, op.Window, f.Value(op.Sequence), _headDim);
        Heads job = new(
            f.Store(op.Store), queries, f.F32(op.Y), (float*)f.Scratch, FloatsPerWorker, length, f.Value(op.Queries), _queryHeads,
            f.Value(op.Sequence), f.Value(op.Tokens), op.Rule);
        f.Workers.Run(job, _queryHeads);
    }

    // One item: a query head.
    private readonly struct Heads(
        HostStore store, QueryRing queries, float* y, float* scratch, long floatsPerWorker, int length, int w, int queryHeads,
        int sequence, int tokens, AttentionRule rule) : IJob
    {
        public void Run(int index, int worker)
        {
            StoreSpec spec = store.StoreSpec;
            int run = (sequence * spec.NumKvHeads) + (index / (queryHeads / spec.NumKvHeads));
            Span<float> scores = new(y + ((long)index * length), length);
            scores.Clear();
            float* logits = scratch + (worker * floatsPerWorker);
            for (int first = 0; first < w; first += Tile.Width)
            {
                int lanes = Math.Min(Tile.Width, w - first);
                int rows = store.Length[run];
                Logits(run, rows, index, first, lanes, logits);
                for (int lane = 0; lane < lanes; lane += Lanes.Count)
                {
                    Vector256<float> factor = AttentionPanel.FirstLanes(
                        AttentionPanel.Softmax(logits + lane, rows, store.Position + store.Start[run], tokens - w + first + lane, rule, w), lanes - lane);
                    for (int j = 0; j < rows; j++)
                    {
                        scores[j] += Lanes.Sum(Vector256.Load(logits + ((long)j * Tile.Width) + lane) * factor);
                    }
                }
            }
        }

        // logits[j, t] = q_t·k_j for queries first .. first + lanes - 1 of the window.
        private void Logits(int run, int rows, int queryHead, int first, int lanes, float* logits)
        {
            int d = store.StoreSpec.HeadDim;
            float* panel = logits + ((long)length * Tile.Width);
            queries.Pack(tokens - w + first, lanes, queryHead, panel);
            AttentionPanel.Logits(store.Key(store.Start[run]), store.StoreSpec.RowType, rows, d, panel, logits);
        }
    }
}
