using KvIL.Ops;
using KvIL.Reference.Memory;

namespace KvIL.Reference.Kernels;

/// <summary><c>y[h, j] = +∞</c> where row j stands at one of the positions, else <c>x[h, j]</c>.</summary>
internal sealed unsafe class ProtectRowsStep(ProtectRowsOp op) : Step
{
    public override void Run(Frame f)
    {
        HostStore store = f.Store(op.Store);
        int heads = store.StoreSpec.NumKvHeads, length = f.Value(op.Y.Tensor.Shape[1]);
        ReadOnlySpan<int> kept = new(f.I32(op.Positions), f.Value(op.Positions.Tensor.Shape[0]));
        for (int h = 0; h < heads; h++)
        {
            int run = (f.Value(op.Sequence) * heads) + h, next = 0;
            int* positions = store.Position + store.Start[run];
            float* x = f.F32(op.X) + ((long)h * length);
            float* y = f.F32(op.Y) + ((long)h * length);
            for (int j = 0; j < length; j++)
            {
                bool held = j < store.Length[run];
                while (held && next < kept.Length && kept[next] < positions[j]) next++; // both ascend
                bool isKept = held && next < kept.Length && kept[next] == positions[j];
                y[j] = isKept ? float.PositiveInfinity : held ? x[j] : 0;
            }
        }
    }
}
