using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Simd;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary>Softmax attention of one query over the rows of a run, in double.</summary>
internal static unsafe class QueryAttention
{
    /// <summary>Writes one weight a row; 0 for rows that the query does not see, and for all where it sees none.</summary>
    public static void Compute(HostStore store, int run, float* query, int position, AttentionRule rule, Span<double> attention)
    {
        int hidden = rule.Window is int window ? store.VisibleRows(run, position - window) : 0;
        int visible = store.VisibleRows(run, position - rule.Lag), d = store.StoreSpec.HeadDim;
        attention.Clear();
        Span<double> a = attention[Math.Min(hidden, visible)..visible];
        if (a.IsEmpty) return;
        float[]? widened = store.StoreSpec.RowType == DType.F32 ? null : new float[d];
        double maximum = double.NegativeInfinity;
        fixed (float* scratch = widened)
        {
            for (int j = 0; j < a.Length; j++)
            {
                byte* row = store.Key(store.Start[run] + hidden + j);
                if (scratch is not null) Elements.Widen(store.StoreSpec.RowType, row, scratch, d);
                double logit = rule.Scale * RealLanes.Dot(query, scratch is null ? (float*)row : scratch, d);
                a[j] = rule.SoftCap is float cap ? cap * Math.Tanh(logit / cap) : logit;
                maximum = Math.Max(maximum, a[j]);
            }
        }

        double sum = 0;
        foreach (ref double x in a) sum += x = Math.Exp(x - maximum);
        foreach (ref double x in a) x /= sum;
    }
}
