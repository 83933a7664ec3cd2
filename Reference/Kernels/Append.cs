using System.Numerics.Tensors;
using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary>Row <c>Starts[r] + Lengths[r]++</c> of every run r of a token's sequence takes its key, value and position.</summary>
internal sealed unsafe class AppendStep(AppendOp op) : Step
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

    // One item: a KV head, all tokens in order. Runs of different heads are disjoint.
    private readonly struct Heads(HostStore store, float* keys, float* values, int* positions, int* sequences, int n) : IJob
    {
        public void Run(int index, int worker)
        {
            StoreSpec spec = store.StoreSpec;
            long width = (long)spec.NumKvHeads * spec.HeadDim;
            for (int i = 0; i < n; i++)
            {
                int run = (sequences[i] * spec.NumKvHeads) + index;
                if (store.Length[run] >= store.Capacity[run])
                {
                    continue;
                }

                long row = store.Start[run] + store.Length[run]++;
                long element = (i * width) + (index * spec.HeadDim);
                StoredRows.Narrow(keys + element, store.Key(row), spec);
                StoredRows.Narrow(values + element, store.Value(row), spec);
                store.Position[row] = positions[i];
            }
        }
    }
}

/// <summary>Keys and values on their way into a store.</summary>
internal static unsafe class StoredRows
{
    /// <summary>One row, rounded to the store's row type to nearest even.</summary>
    public static void Narrow(float* source, byte* destination, StoreSpec spec)
    {
        ReadOnlySpan<float> row = new(source, spec.HeadDim);
        if (spec.RowType == DType.F32)
        {
            row.CopyTo(new Span<float>(destination, spec.HeadDim));
        }
        else
        {
            TensorPrimitives.ConvertToHalf(row, new Span<Half>(destination, spec.HeadDim));
        }
    }
}

/// <summary><c>window[s, p mod w, :] = q</c> for the token of sequence s at position p.</summary>
internal sealed unsafe class RememberQueriesStep(RememberQueriesOp op) : Step
{
    private readonly int _window = op.Window.Tensor.Shape[1].Max;
    private readonly int _width = op.Q.Tensor.Shape[1].Max;

    public override void Run(Frame f)
    {
        float* window = f.F32(op.Window);
        float* q = f.F32(op.Q);
        int* positions = f.I32(op.Positions);
        int* sequences = f.I32(op.Sequences);
        int n = f.Value(op.Positions.Tensor.Shape[0]);
        for (int i = 0; i < n; i++)
        {
            // A token that a later one of the same call would overwrite need not be copied.
            if (i + _window < n && sequences[i + _window] == sequences[i])
            {
                continue;
            }

            long slot = ((long)sequences[i] * _window) + (positions[i] % _window);
            new ReadOnlySpan<float>(q + ((long)i * _width), _width).CopyTo(new Span<float>(window + (slot * _width), _width));
        }
    }
}
