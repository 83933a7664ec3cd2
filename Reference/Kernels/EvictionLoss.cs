using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Simd;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary>L and its bounds θ ≤ ε_head ≤ ε for the newest query: see <see cref="EvictionLossOp"/>.</summary>
/// <remarks>
/// Per query head i: attention in double; the norms ‖u_j‖₁ from tiles of u_j = v_j W_i; the head's part of y − ŷ is
/// o_i W_i with o_i = Σ_j (A_j − [j kept] A_j / F) v_j, so that W_i is applied once and not once for each row.
/// </remarks>
internal sealed unsafe class EvictionLossStep(EvictionLossOp op) : Step
{
    private const int Dropped = 0, Largest = 1, Theta = 2, Figures = 3;

    private readonly StoreSpec _spec = op.Store.Store;
    private readonly int _queryHeads = op.Window.Tensor.Shape[2].Max / op.Store.Store.HeadDim;
    private readonly int _width = op.OutputProjection.Tensor.Shape[0].Max;

    // Per query head: its figures and o_i. Per worker: what the norms need.
    private long DoublesPerHead => Figures + _spec.HeadDim;

    private long FloatsPerWorker => Projection.ScratchFloats(_spec.HeadDim);

    public override long ScratchBytes(int workers) =>
        ((_queryHeads * DoublesPerHead) + _width) * sizeof(double) + DType.F32.SizeBytes((workers * FloatsPerWorker) + ((long)_queryHeads * _spec.HeadDim));

    public override void Run(Frame f)
    {
        double* heads = (double*)f.Scratch;
        double* difference = heads + (_queryHeads * DoublesPerHead);
        float* weightRow = (float*)(difference + _width);
        int sequence = f.Value(op.Sequence);
        float* query = new QueryRing(f, op.Window, sequence, _spec.HeadDim).At(f.Value(op.Tokens) - 1, 0);
        Heads job = new(
            f.Store(op.Store), query, f.I32(op.Counts), f.I32(op.Rows), new(f, op.OutputProjection), heads, DoublesPerHead,
            weightRow + ((long)_queryHeads * _spec.HeadDim), FloatsPerWorker, _queryHeads, sequence, f.Value(op.Tokens) - 1, op.Rule);
        f.Workers.Run(job, _queryHeads);

        float* y = f.F32(op.Y);
        (double theta, double headBound, double dropped, double largest) = (0, 0, 0, 0);
        for (int i = 0; i < _queryHeads; i++)
        {
            double* figures = heads + (i * DoublesPerHead);
            theta += figures[Theta];
            headBound += 2 * figures[Largest] * figures[Dropped];
            dropped += figures[Dropped];
            largest = Math.Max(largest, figures[Largest]);
        }

        y[0] = (float)Loss(f, heads, weightRow);
        (y[1], y[2], y[3]) = ((float)theta, (float)headBound, (float)(2 * largest * dropped));
    }

    // ‖Σ_i o_i W_i‖₁, one output channel at a time.
    private double Loss(Frame f, double* heads, float* weightRow)
    {
        int inputs = _queryHeads * _spec.HeadDim;
        DType type = op.OutputProjection.Tensor.Type;
        double loss = 0;
        for (int c = 0; c < _width; c++)
        {
            WeightRows.WidenPart(type, f.Raw(op.OutputProjection), (long)c * inputs, weightRow, inputs);
            double sum = 0;
            for (int k = 0; k < inputs; k++)
            {
                sum += heads[((k / _spec.HeadDim) * DoublesPerHead) + Figures + (k % _spec.HeadDim)] * weightRow[k];
            }

            loss += Math.Abs(sum);
        }

        return loss;
    }

    // One item: a query head.
    private readonly struct Heads(
        HostStore store, float* query, int* counts, int* kept, Projection weights, double* heads, long doublesPerHead,
        float* scratch, long floatsPerWorker, int queryHeads, int sequence, int position, AttentionRule rule) : IJob
    {
        public void Run(int index, int worker)
        {
            StoreSpec spec = store.StoreSpec;
            int kvHead = index / (queryHeads / spec.NumKvHeads);
            int run = (sequence * spec.NumKvHeads) + kvHead;
            int rows = store.Length[run];
            double* figures = heads + (index * doublesPerHead);
            new Span<double>(figures, Figures + spec.HeadDim).Clear();
            if (rows == 0) return;

            double[] attention = new double[rows];
            QueryAttention.Compute(store, run, query + ((long)index * spec.HeadDim), position, rule, attention);
            double[] norms = new double[rows];
            weights.Norms(store, run, index, scratch + (worker * floatsPerWorker), norms);
            bool[] isKept = Kept(kvHead, rows);

            double keptMass = 0;
            double droppedMass = 0;
            for (int j = 0; j < rows; j++)
            {
                keptMass += isKept[j] ? attention[j] : 0;
                droppedMass += isKept[j] ? 0 : attention[j];
            }

            // 1/F − 1 as (1 − F)/F, which is exactly 0 when nothing is dropped.
            double excess = keptMass > 0 ? droppedMass / keptMass : 0;
            figures[Dropped] = droppedMass;
            figures[Largest] = norms.Max();
            for (int j = 0; j < rows; j++)
            {
                // A − Â: a dropped row loses all its attention, a kept one gains its share of it.
                double change = isKept[j] ? -excess * attention[j] : attention[j];
                figures[Theta] += Math.Abs(change) * norms[j];
                AddValue(store.Value(store.Start[run] + j), change, figures + Figures);
            }
        }

        private void AddValue(byte* value, double factor, double* sum)
        {
            bool half = store.StoreSpec.RowType == DType.F16;
            for (int c = 0; c < store.StoreSpec.HeadDim; c++)
            {
                sum[c] += factor * (half ? F16Element.Load(value, c) : F32Element.Load(value, c));
            }
        }

        private bool[] Kept(int kvHead, int rows)
        {
            bool[] isKept = new bool[rows];
            int first = 0;
            for (int h = 0; h < kvHead; h++)
            {
                first += counts[h];
            }

            for (int i = 0; i < counts[kvHead]; i++)
            {
                isKept[kept[first + i]] = true;
            }

            return isKept;
        }
    }
}
