using KvIL.Eviction;
using KvIL.Ops;
using static KvIL.Conformance.Oracle.OracleOps;

namespace KvIL.Conformance.Oracle;

/// <summary>Definitions of the ops that score rows.</summary>
internal static class ScoreOps
{
    // y[i, j] = (1/w) Σ_t A_tj, query t at position tokens − w + t
    public static void WindowScores(WindowScoresOp op, OracleFrame f)
    {
        Matrix window = f.Reals(op.Window), y = f.Reals(op.Y);
        OracleStore store = f.Store(op.Store);
        int ring = f.Value(op.Window.Tensor.Shape[1]), w = f.Value(op.Queries);
        int sequence = f.Value(op.Sequence), tokens = f.Value(op.Tokens);
        int d = store.StoreSpec.HeadDim, group = y.Rows / store.StoreSpec.NumKvHeads;
        y.Fill((_, _) => 0);
        foreach ((int i, int t) in CacheOps.Pairs(y.Rows, w))
        {
            int position = tokens - w + t;
            Run run = store.Run(sequence, i / group);
            int row = (sequence * ring) + (position % ring);
            double[] attention = CacheOps.Attention(run, c => window[row, (i * d) + c], op.Rule, position);
            for (int j = 0; j < run.Length; j++) y[i, j] += attention[j] / w;
        }
    }

    // y[h, j] = position of row j
    public static void RecencyScores(RecencyScoresOp op, OracleFrame f)
    {
        OracleStore store = f.Store(op.Store);
        f.Reals(op.Y).Fill((h, j) =>
        {
            Run run = store.Run(f.Value(op.Sequence), h);
            return j < run.Length ? run.Position(j) : 0;
        });
    }

    // y[h, j] = (1/G) Σ_{g < G} x[h·G + g, j]
    public static void GroupMean(GroupMeanOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X), y = f.Reals(op.Y);
        int group = x.Rows / y.Rows;
        y.Fill((h, j) => Sum(group, g => x[(h * group) + g, j]) / group);
    }

    // y[h, j] = pool(x[h, j − k/2 .. j + k/2]) over the first length − window rows; max pads −∞, average pads 0 and divides by k
    public static void Pool(PoolOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X), y = f.Reals(op.Y);
        OracleStore store = f.Store(op.Store);
        int group = x.Rows / store.StoreSpec.NumKvHeads;
        y.Fill((h, j) =>
        {
            int scored = store.Run(f.Value(op.Sequence), h / group).Length - f.Value(op.Window);
            if (j >= scored) return 0;
            int first = Math.Max(0, j - (op.Kernel / 2)), last = Math.Min(scored - 1, j + (op.Kernel / 2));
            IEnumerable<double> near = Enumerable.Range(first, last - first + 1).Select(k => x[h, k]);
            return op.Kind == PoolKind.Max ? near.Max(Ordered) : near.Sum() / op.Kernel;
        });
    }

    // y = max(a, b)
    public static void Maximum(MaximumOp op, OracleFrame f)
    {
        Matrix a = f.Reals(op.A), b = f.Reals(op.B);
        f.Reals(op.Y).Fill((i, j) => Math.Max(Ordered(a[i, j]), Ordered(b[i, j])));
    }

    // NaN orders as −∞.
    private static double Ordered(double x) => double.IsNaN(x) ? double.NegativeInfinity : x;
}
