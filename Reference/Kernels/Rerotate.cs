using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary>Row j of each run gets position j, its key turned there by <c>(j − p_j) · ω_f</c> in double, rounded once to the row type.</summary>
internal sealed unsafe class RerotateStep(RerotateOp op) : Step
{
    public override void Run(Frame f) =>
        f.Workers.Run(new Heads(f.Store(op.Store), f.Value(op.Sequence), new(op.Rotary)), op.Store.Store.NumKvHeads);

    // One item: a KV head.
    private readonly struct Heads(HostStore store, int sequence, RopeTurn rotation) : IJob
    {
        public void Run(int index, int worker)
        {
            int run = (sequence * store.StoreSpec.NumKvHeads) + index;
            RopeTurn turn = rotation.Own();
            for (int j = 0; j < store.Length[run]; j++)
            {
                long row = store.Start[run] + j;
                if (store.Position[row] == j) continue;
                turn.To(j - store.Position[row]);
                if (store.StoreSpec.RowType == DType.F32) Turn((float*)store.Key(row), turn);
                else Turn((Half*)store.Key(row), turn);
                store.Position[row] = j;
            }
        }

        private static void Turn(float* key, RopeTurn turn)
        {
            for (int f = 0; f < turn.Frequencies; f++)
            {
                (double a, double b) = turn.Turned(key[f], key[turn.Frequencies + f], f);
                (key[f], key[turn.Frequencies + f]) = ((float)a, (float)b);
            }
        }

        private static void Turn(Half* key, RopeTurn turn)
        {
            for (int f = 0; f < turn.Frequencies; f++)
            {
                (double a, double b) = turn.Turned((double)key[f], (double)key[turn.Frequencies + f], f);
                (key[f], key[turn.Frequencies + f]) = ((Half)a, (Half)b);
            }
        }
    }
}
