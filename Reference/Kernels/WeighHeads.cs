using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary><c>y[i, j] = C_i · x[i, j]</c>, <c>C_i = max_j ‖v_j W_i‖₁</c> over all rows of the run.</summary>
internal sealed unsafe class WeighHeadsStep(WeighHeadsOp op) : Step
{
    private readonly int _queryHeads = op.X.Tensor.Shape[0].Max;

    private long FloatsPerWorker => Projection.ScratchFloats(op.Store.Store.HeadDim);

    public override long ScratchBytes(int workers) => DType.F32.SizeBytes(workers * FloatsPerWorker);

    public override void Run(Frame f)
    {
        Heads job = new(
            f.Store(op.Store), new(f, op.OutputProjection), f.F32(op.X), f.F32(op.Y), (float*)f.Scratch, FloatsPerWorker, _queryHeads,
            f.Value(op.X.Tensor.Shape[1]), f.Value(op.Sequence));
        f.Workers.Run(job, _queryHeads);
    }

    // One item: a query head.
    private readonly struct Heads(
        HostStore store, Projection weights, float* x, float* y, float* scratch, long floatsPerWorker, int queryHeads, int length, int sequence) : IJob
    {
        public void Run(int index, int worker)
        {
            int kvHeads = store.StoreSpec.NumKvHeads, run = (sequence * kvHeads) + (index / (queryHeads / kvHeads));
            double[] norms = new double[store.Length[run]];
            weights.Norms(store, run, index, scratch + (worker * floatsPerWorker), norms);
            double largest = 0;
            foreach (double norm in norms) largest = Math.Max(largest, norm);
            for (int j = 0; j < length; j++)
            {
                long element = ((long)index * length) + j;
                y[element] = j < norms.Length ? (float)(largest * x[element]) : 0;
            }
        }
    }
}
