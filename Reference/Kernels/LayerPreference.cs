using System.Buffers;
using System.Runtime.Intrinsics;
using KvIL.Eviction;
using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Scores;
using KvIL.Reference.Simd;
using KvIL.Reference.Threading;

namespace KvIL.Reference.Kernels;

/// <summary><c>y = H^{1/τ₁} · V^{1/τ₂}</c>, <c>H = −Σ a ln(a + 10⁻¹⁰)</c>, <c>V = Σ var_t a</c>: sums in double, heads in ascending order.</summary>
internal sealed unsafe class LayerPreferenceStep(LayerPreferenceOp op) : Step
{
    private const double Floor = 1e-10;

    public override void Run(Frame f)
    {
        int sequence = f.Value(op.Sequence);
        QueryRing queries = new(f, op.Window, sequence, op.Store.Store.HeadDim);
        double[] entropies = new double[queries.Heads], shifts = new double[queries.Heads];
        f.Workers.Run(new Heads(f.Store(op.Store), queries, sequence, f.Value(op.Tokens), f.Value(op.Queries), op.Attention, entropies, shifts), queries.Heads);
        f.F32(op.Y)[0] = (float)(Power(entropies, op.Tau.Dispersion) * Power(shifts, op.Tau.Shift));
    }

    private static double Power(double[] parts, Ratio tau)
    {
        double sum = 0;
        foreach (double part in parts) sum += part;
        return Math.Pow(sum, tau.Denominator / (double)tau.Numerator);
    }

    // One item: a query head.
    private readonly struct Heads(
        HostStore store, QueryRing queries, int sequence, int tokens, int w, AttentionRule rule, double[] entropies, double[] shifts) : IJob
    {
        public void Run(int index, int worker)
        {
            int kvHeads = store.StoreSpec.NumKvHeads, run = (sequence * kvHeads) + (index / (queries.Heads / kvHeads));
            int rows = store.Length[run], scored = rows - ProtectedRows.Window(rows, w), d = store.StoreSpec.HeadDim;
            AttentionMoments moments = new(rows, w);
            double entropy = 0, shift = 0;
            float[] rented = ArrayPool<float>.Shared.Rent(checked((int)((rows * (long)Tile.Width) + AttentionPanel.ScratchFloats(d))));
            fixed (float* weights = rented)
            {
                float* panel = weights + (rows * (long)Tile.Width);
                for (int first = 0; first < w; first += Tile.Width)
                {
                    int lanes = Math.Min(Tile.Width, w - first), position = tokens - w + first;
                    queries.Pack(position, lanes, index, panel);
                    AttentionPanel.Logits(store.Key(store.Start[run]), store.StoreSpec.RowType, rows, d, panel, weights);
                    for (int lane = 0; lane < Tile.Width; lane += Lanes.Count)
                    {
                        Vector256<float> share = AttentionPanel.Softmax(
                            weights + lane, rows, store.Position + store.Start[run], position + lane, rule, 1);
                        AttentionPanel.Scale(weights + lane, rows, AttentionPanel.FirstLanes(share, lanes - lane));
                    }

                    for (int j = 0; j < scored; j++)
                    {
                        float* a = weights + ((long)j * Tile.Width);
                        moments.Add(j, a, lanes);
                        for (int t = 0; t < lanes; t++) entropy -= a[t] * Math.Log(a[t] + Floor);
                    }
                }
            }

            ArrayPool<float>.Shared.Return(rented);
            for (int j = 0; j < scored; j++) shift += moments.Variance(j);
            (entropies[index], shifts[index]) = (entropy, shift);
        }
    }
}
