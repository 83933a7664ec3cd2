using KvIL.Eviction;
using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary>The best half of a head's rows by x, and those promised to it, get +∞, every other candidate <c>(x + ε) · mean_{i in h} ‖v_j W_i‖₁</c>.</summary>
internal sealed unsafe class TwoStageScoresStep(TwoStageScoresOp op) : Step
{
    private readonly int _group = op.OutputProjection.Tensor.Shape[1].Max / op.Store.Store.HeadDim / op.Store.Store.NumKvHeads;
    private readonly double _epsilon = op.Epsilon.Numerator / (double)op.Epsilon.Denominator;

    private long FloatsPerWorker => Projection.ScratchFloats(op.Store.Store.HeadDim);

    public override long ScratchBytes(int workers) => DType.F32.SizeBytes(workers * FloatsPerWorker);

    public override void Run(Frame f)
    {
        HostStore store = f.Store(op.Store);
        RunScores scores = new(f, op.X, op.Y, store, op.Sequence, op.Sinks, op.Window);
        Ratio share = op.Promised;
        int promised = share == default ? 0 : (int)Math.Max(1, f.Value(op.Total) * share.Numerator / (share.Denominator * scores.Heads));
        Heads job = new(
            scores, store, new(f, op.OutputProjection), f.I32(op.Counts), (float*)f.Scratch, FloatsPerWorker, _group, _epsilon, promised);
        f.Workers.Run(job, scores.Heads);
    }

    // One item: a KV head.
    private readonly struct Heads(
        RunScores scores, HostStore store, Projection weights, int* counts, float* scratch, long floatsPerWorker, int group, double epsilon,
        int promised) : IJob
    {
        public void Run(int index, int worker)
        {
            int rows = scores.Rows(index), candidates = scores.Candidates(index);
            double[] sums = new double[rows], norms = new double[rows];
            for (int i = index * group; i < (index + 1) * group; i++)
            {
                weights.Norms(store, scores.Run(index), i, scratch + (worker * floatsPerWorker), norms);
                for (int j = 0; j < rows; j++) sums[j] += norms[j];
            }

            int first = Math.Min(Math.Max(0, Math.Max(counts[index] / 2, promised) - (rows - candidates)), candidates), begin = scores.Begin(index);
            ReadOnlySpan<float> x = scores.Given(index);
            Span<float> y = scores.Fresh(index);
            for (int j = 0; j < y.Length; j++) y[j] = (float)((x[j] + epsilon) * (sums[begin + j] / group));
            foreach (int j in scores.Best(index, first)) y[j] = float.PositiveInfinity;
        }
    }
}
