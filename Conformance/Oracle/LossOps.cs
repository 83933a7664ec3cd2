using KvIL.Ops;
using static KvIL.Conformance.Oracle.OracleOps;

namespace KvIL.Conformance.Oracle;

/// <summary>Definition of the loss of an eviction and of the bounds on it.</summary>
internal static class LossOps
{
    // L = ‖Σ_i Σ_j (A_ij − [j kept] A_ij/F_i) u_j‖₁         θ = Σ_i [Σ_dropped A_ij ‖u_j‖₁ + (1/F_i − 1) Σ_kept A_ij ‖u_j‖₁]
    // ε_head = 2 Σ_i C_i (1 − F_i)                            ε = 2 max_i C_i · Σ_i (1 − F_i)
    public static void EvictionLoss(EvictionLossOp op, OracleFrame f)
    {
        Head[] heads = [.. Heads(op, f)];
        int width = f.Value(op.OutputProjection.Tensor.Shape[0]);
        Matrix y = f.Reals(op.Y);
        y[0] = Sum(width, o => Math.Abs(heads.Sum(h => Sum(h.A.Length, j => h.Loss(j) * h.U[j][o]))));
        y[1] = heads.Sum(h => Sum(h.A.Length, j => Math.Abs(h.Loss(j)) * h.U[j].Sum(Math.Abs)));
        y[2] = 2 * heads.Sum(h => h.Largest * h.Dropped);
        y[3] = 2 * heads.Max(h => h.Largest) * heads.Sum(h => h.Dropped);
    }

    // Query head i at the newest query: A_ij over the rows of its KV head, u_j = W_i v_j, and which rows are kept.
    private static IEnumerable<Head> Heads(EvictionLossOp op, OracleFrame f)
    {
        Matrix window = f.Reals(op.Window), projection = f.Reals(op.OutputProjection);
        OracleStore store = f.Store(op.Store);
        int w = f.Value(op.Window.Tensor.Shape[1]), sequence = f.Value(op.Sequence), position = f.Value(op.Tokens) - 1;
        int d = store.StoreSpec.HeadDim, group = window.Width / d / store.StoreSpec.NumKvHeads;
        for (int i = 0; i < window.Width / d; i++)
        {
            int channel = i * d;
            Run run = store.Run(sequence, i / group);
            int[] kept = CacheOps.KeptRows(f.Integers(op.Counts), f.Integers(op.Rows), i / group);
            double[] attention = CacheOps.Attention(run, c => window[(sequence * w) + (position % w), channel + c], op.Rule, position);
            IEnumerable<double[]> u = Enumerable.Range(0, run.Length).Select(j => Enumerable.Range(0, projection.Rows)
                .Select(o => Sum(d, c => projection[o, channel + c] * run.Value(j, c))).ToArray());
            yield return new(attention, [.. u], [.. Enumerable.Range(0, run.Length).Select(j => kept.Contains(j))]);
        }
    }

    private sealed record Head(double[] A, double[][] U, bool[] IsKept)
    {
        // F
        private double Kept { get; } = Sum(A.Length, j => IsKept[j] ? A[j] : 0);

        // 1 − F
        public double Dropped { get; } = Sum(A.Length, j => IsKept[j] ? 0 : A[j]);

        // C
        public double Largest { get; } = U.Select(u => u.Sum(Math.Abs)).DefaultIfEmpty().Max();

        // A_ij − [j kept] A_ij / F_i, with 1 − 1/F_i = −(1 − F_i)/F_i so that nothing cancels; nothing is kept of attention 0.
        public double Loss(int j) => !IsKept[j] ? A[j] : Kept > 0 ? -A[j] * Dropped / Kept : 0;
    }
}
