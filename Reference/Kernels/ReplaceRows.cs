using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Simd;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary>The row at a token's position takes its key and value, in every KV head.</summary>
internal sealed unsafe class ReplaceRowsStep(ReplaceRowsOp op) : Step
{
    public override void Run(Frame f)
    {
        HostStore store = f.Store(op.Store);
        int n = f.Value(op.Positions.Tensor.Shape[0]);
        f.Workers.Run(
            new Heads(store, f.F32(op.Keys), f.F32(op.Values), f.I32(op.Positions), f.I32(op.Sequences), n),
            store.StoreSpec.NumKvHeads,
            parallel: n > 8);
    }

    // One item: a KV head, all tokens.
    private readonly struct Heads(HostStore store, float* keys, float* values, int* positions, int* sequences, int n) : IJob
    {
        public void Run(int index, int worker)
        {
            StoreSpec spec = store.StoreSpec;
            for (int i = 0; i < n; i++)
            {
                if (store.RowAt((sequences[i] * spec.NumKvHeads) + index, positions[i]) is long row and >= 0)
                {
                    long element = (((long)i * spec.NumKvHeads) + index) * spec.HeadDim;
                    StoredRows.Narrow(keys + element, store.Key(row), spec);
                    StoredRows.Narrow(values + element, store.Value(row), spec);
                }
            }
        }
    }
}

/// <summary><c>y = max |new − old|</c> over the rows that would be replaced.</summary>
internal sealed unsafe class RowChangeStep(RowChangeOp op) : Step
{
    private readonly StoreSpec _spec = op.Store.Store;

    public override long ScratchBytes(int workers) => _spec.RowType.SizeBytes(_spec.HeadDim) + DType.F32.SizeBytes(2L * _spec.HeadDim);

    public override void Run(Frame f)
    {
        HostStore store = f.Store(op.Store);
        float* keys = f.F32(op.Keys), values = f.F32(op.Values);
        int* positions = f.I32(op.Positions), sequences = f.I32(op.Sequences);
        float change = 0;
        for (int i = 0; i < f.Value(op.Positions.Tensor.Shape[0]) * _spec.NumKvHeads; i++)
        {
            (int token, int head) = Math.DivRem(i, _spec.NumKvHeads);
            if (store.RowAt((sequences[token] * _spec.NumKvHeads) + head, positions[token]) is long row and >= 0)
            {
                long element = (long)i * _spec.HeadDim;
                change = Math.Max(change, Difference(keys + element, store.Key(row), (float*)f.Scratch));
                change = Math.Max(change, Difference(values + element, store.Value(row), (float*)f.Scratch));
            }
        }

        *f.F32(op.Y) = change;
    }

    // The new row rounded and widened again, against the old one widened.
    private float Difference(float* row, byte* held, float* scratch)
    {
        int d = _spec.HeadDim;
        float* now = scratch, before = now + d;
        byte* narrow = (byte*)(before + d);
        StoredRows.Narrow(row, narrow, _spec);
        Elements.Widen(_spec.RowType, narrow, now, d);
        Elements.Widen(_spec.RowType, held, before, d);
        float largest = 0;
        for (int c = 0; c < d; c++)
        {
            float difference = Math.Abs(now[c] - before[c]);
            largest = Math.Max(largest, float.IsNaN(difference) ? float.PositiveInfinity : difference);
        }

        return largest;
    }
}
