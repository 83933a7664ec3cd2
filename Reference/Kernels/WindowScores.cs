using System.Runtime.Intrinsics;
using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Simd;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary><c>y[i, j] = (1/w) Σ_t softmax_j(s_tj)</c> over the rows that query t sees.</summary>
/// <remarks>
/// These scores decide what is kept, so their bits are the same at every vector width and thread count. One query stands in each
/// lane: products are chains of fused multiply-adds in ascending channel (<see cref="Tile"/>), maxima and sums run down
/// the rows inside a lane, and the mean adds queries in eights, each eight in the order of <see cref="Lanes.Sum"/>.
/// Logits are held for 32 queries at a time: 128 bytes a row.
/// </remarks>
internal sealed unsafe class WindowScoresStep(WindowScoresOp op) : Step
{
    private readonly int _ring = op.Window.Tensor.Shape[1].Max;
    private readonly int _queryHeads = op.Y.Tensor.Shape[0].Max;
    private readonly int _maxLength = op.Y.Tensor.Shape[1].Max;
    private readonly int _headDim = op.Store.Store.HeadDim;

    private long FloatsPerWorker => ((long)_maxLength * Tile.Width) + (_headDim * Tile.Width) + ((long)Tile.Height * _headDim);

    public override long ScratchBytes(int workers) => DType.F32.SizeBytes(workers * FloatsPerWorker);

    public override void Run(Frame f)
    {
        int length = f.Value(op.Y.Tensor.Shape[1]);
        float* window = f.F32(op.Window) + ((long)f.Value(op.Sequence) * _ring * _queryHeads * _headDim);
        Heads job = new(
            f.Store(op.Store), window, f.F32(op.Y), (float*)f.Scratch, FloatsPerWorker, length, f.Value(op.Queries), _ring, _queryHeads,
            f.Value(op.Sequence), f.Value(op.Tokens), op.Rule);
        f.Workers.Run(job, _queryHeads);
    }

    // One item: a query head.
    private readonly struct Heads(
        HostStore store, float* window, float* y, float* scratch, long floatsPerWorker, int length, int w, int ring, int queryHeads,
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
                    Vector256<float> factor = FirstLanes(Softmax(run, rows, first + lane, logits + lane), lanes - lane);
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
            float* widened = panel + (d * Tile.Width);
            for (int lane = 0; lane < Tile.Width; lane++)
            {
                int slot = (tokens - w + first + lane) % ring; // the query of position p lies at p mod ring
                if (lane < lanes)
                {
                    Panel.PackLane(window + ((((long)slot * queryHeads) + queryHead) * d), lane, d, panel);
                }
                else
                {
                    Panel.ClearLane(lane, d, panel);
                }
            }

            for (int j = 0; j < rows; j += Tile.Height)
            {
                int height = Math.Min(Tile.Height, rows - j);
                float* keys = (float*)store.Key(store.Start[run] + j);
                if (store.StoreSpec.RowType != DType.F32)
                {
                    Elements.Widen(store.StoreSpec.RowType, (byte*)keys, widened, (long)height * d);
                    keys = widened;
                }

                Tile.Multiply(keys, d, 1, height, panel, d, logits + ((long)j * Tile.Width), accumulate: false);
            }
        }

        // Eight lanes: logits become exp(cap(scale · logit) − maximum), 0 where a query does not see the row; returns 1 / (w · Σ).
        private Vector256<float> Softmax(int run, int rows, int firstQuery, float* logits)
        {
            int* positions = store.Position + store.Start[run];
            Vector256<int> query = Vector256.Create(tokens - w + firstQuery) + Vector256<int>.Indices;
            Vector256<int> before = query - Vector256.Create(rule.WindowOrAll); // the last position that is hidden again
            float cap = rule.SoftCap ?? 0;
            Vector256<float> maximum = Vector256.Create(float.MinValue);
            for (int j = 0; j < rows; j++)
            {
                float* logit = logits + ((long)j * Tile.Width);
                Vector256<int> position = Vector256.Create(positions[j]);
                Vector256<float> scaled = Vector256.Load(logit) * rule.Scale;
                Vector256<float> masked = Vector256.ConditionalSelect(
                    (Vector256.GreaterThanOrEqual(query, position) & Vector256.GreaterThan(position, before)).AsSingle(),
                    cap > 0 ? Lanes.SoftCap(scaled, cap) : scaled,
                    Vector256.Create(float.NegativeInfinity));
                masked.Store(logit);
                maximum = Vector256.Max(maximum, masked);
            }

            Vector256<float> sum = default;
            for (int j = 0; j < rows; j++)
            {
                float* logit = logits + ((long)j * Tile.Width);
                Vector256<float> e = Lanes.Exp(Vector256.Load(logit) - maximum);
                e.Store(logit);
                sum += e;
            }

            // A query that sees no row pays no attention, rather than 0/0.
            return Vector256.ConditionalSelect(
                Vector256.GreaterThan(sum, Vector256<float>.Zero), Vector256<float>.One / (sum * w), Vector256<float>.Zero);
        }

        private static Vector256<float> FirstLanes(Vector256<float> x, int count) => Vector256.ConditionalSelect(
            Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle(), x, Vector256<float>.Zero);
    }
}
