using KvIL.Conformance.Theorems;
using KvIL.Conformance.Theory;
using KvIL.Eviction;

namespace KvIL.Tests.Laws;

/// <summary>Wrong losses, bounds and scores: each derives the subject of the laws and gets one function wrong.</summary>
internal static partial class EvictionMutants
{
    private sealed class Entrywise_C : EvictionMath
    {
        public override double[,] RowNorms(double[,,] u) =>
            Arrays.Table(u.GetLength(0), u.GetLength(1), (i, j) => Arrays.Vector(u, i, j).Max(Math.Abs));
    }

    private sealed class L2_row_norm : EvictionMath
    {
        public override double[,] RowNorms(double[,,] u) => Arrays.Table(u.GetLength(0), u.GetLength(1), (i, j) => Arrays.Norm(Arrays.Vector(u, i, j)));
    }

    private sealed class C_is_the_mean_over_heads : EvictionMath
    {
        public override double Norm(double[,,] u) => HeadNorms(u).Average();
    }

    private sealed class C_is_the_mean_over_rows : EvictionMath
    {
        public override double[] HeadNorms(double[,,] u)
        {
            double[,] rows = RowNorms(u);
            return [.. Enumerable.Range(0, rows.GetLength(0)).Select(i => Arrays.Row(rows, i).Average())];
        }
    }

    private sealed class C_of_the_first_token : EvictionMath
    {
        public override double[] HeadNorms(double[,,] u)
        {
            double[,] rows = RowNorms(u);
            return [.. Enumerable.Range(0, rows.GetLength(0)).Select(i => rows[i, 0])];
        }
    }

    private sealed class Eps_without_its_factor_2 : EvictionMath
    {
        public override double Epsilon(double[,] a, double[,,] u, bool[,] kept) => base.Epsilon(a, u, kept) / 2;
    }

    private sealed class Eps_twice_as_large : EvictionMath
    {
        public override double Epsilon(double[,] a, double[,,] u, bool[,] kept) => 2 * base.Epsilon(a, u, kept);
    }

    private sealed class Eps_of_retained_mass : EvictionMath
    {
        public override double Epsilon(double[,] a, double[,,] u, bool[,] kept) => 2 * Norm(u) * RetainedMass(a, kept).Sum();
    }

    private sealed class Eps_of_the_worst_head_alone : EvictionMath
    {
        public override double Epsilon(double[,] a, double[,,] u, bool[,] kept) => 2 * Norm(u) * DroppedMass(a, kept).Max();
    }

    private sealed class Eps_head_with_the_next_heads_norm : EvictionMath
    {
        public override double EpsilonPerHead(double[,] a, double[,,] u, bool[,] kept)
        {
            double[] norms = HeadNorms(u), dropped = DroppedMass(a, kept);
            return 2 * dropped.Select((x, i) => x * norms[(i + 1) % norms.Length]).Sum();
        }
    }

    private sealed class Theta_without_renormalising : EvictionMath
    {
        public override double Theta(double[,] a, double[,,] u, bool[,] kept)
        {
            double[,] norms = RowNorms(u);
            return Arrays.Table(a.GetLength(0), a.GetLength(1), (i, j) => kept[i, j] ? 0 : a[i, j] * norms[i, j]).Cast<double>().Sum();
        }
    }

    private sealed class Theta_with_the_wrong_sign : EvictionMath
    {
        public override double Theta(double[,] a, double[,,] u, bool[,] kept)
        {
            double[,] norms = RowNorms(u);
            double[] f = RetainedMass(a, kept);
            return Arrays.Table(a.GetLength(0), a.GetLength(1), (i, j) => a[i, j] * norms[i, j] * (kept[i, j] ? 1 - (1 / f[i]) : 1)).Cast<double>().Sum();
        }
    }

    private sealed class Loss_in_L2 : EvictionMath
    {
        public override double Loss(double[,] a, double[,,] u, bool[,] kept) => Arrays.Norm(OutputChange(a, u, kept));
    }

    private sealed class Loss_of_the_largest_coordinate : EvictionMath
    {
        public override double Loss(double[,] a, double[,,] u, bool[,] kept) => OutputChange(a, u, kept).Max(Math.Abs);
    }

    private sealed class Evicted_attention_without_renormalising : EvictionMath
    {
        public override double[,] Renormalised(double[,] a, bool[,] kept) =>
            Arrays.Table(a.GetLength(0), a.GetLength(1), (i, j) => kept[i, j] ? a[i, j] : 0);
    }

    private sealed class Evicted_attention_renormalised_by_the_mean_over_heads : EvictionMath
    {
        public override double[,] Renormalised(double[,] a, bool[,] kept)
        {
            double f = RetainedMass(a, kept).Average();
            return Arrays.Table(a.GetLength(0), a.GetLength(1), (i, j) => kept[i, j] ? a[i, j] / f : 0);
        }
    }

    private sealed class Dropped_mass_as_one_minus_a_count : EvictionMath
    {
        public override double[] DroppedMass(double[,] a, bool[,] kept) =>
            [.. Enumerable.Range(0, a.GetLength(0)).Select(i => Enumerable.Range(0, a.GetLength(1)).Average(j => kept[i, j] ? 0.0 : 1))];
    }

    private sealed class Contributions_of_query_heads_taken_in_turn : EvictionMath
    {
        public override double[,,] Contributions(double[,,] v, double[,] wo)
        {
            (int kv, int n, int d) = (v.GetLength(0), v.GetLength(1), v.GetLength(2));
            int h = wo.GetLength(1) / d;
            double[,,] repeated = new double[h, n, d]; // head i reads i mod kv for i / G
            for (int x = 0; x < repeated.Length; x++) repeated[x / n / d, x / d % n, x % d] = v[x / n / d % kv, x / d % n, x % d];
            return base.Contributions(repeated, wo);
        }
    }

    private sealed class Identity_bound_over_all_tokens_halved : EvictionMath
    {
        public override double IdentityBound(double[,] a, double[,,] u, bool[,] kept) => base.IdentityBound(a, u, kept) / 2;
    }

    private sealed class Softmax_without_the_maximum : EvictionMath
    {
        public override double[] Softmax(IReadOnlyList<double> logits) => [.. logits.Select(x => Math.Exp(x) / logits.Sum(Math.Exp))];
    }

    private sealed class Softmax_in_base_2 : EvictionMath
    {
        public override double[] Softmax(IReadOnlyList<double> logits) => base.Softmax([.. logits.Select(x => x * Math.Log(2))]);
    }

    private sealed class Attention_without_its_scale : EvictionMath
    {
        public override double[,,] WindowAttention(double[,,] q, double[,,] k, int window)
        {
            double[,,] scaled = (double[,,])q.Clone();
            for (int x = 0; x < q.Length; x++) scaled[x / 3 / q.GetLength(1), x / 3 % q.GetLength(1), x % 3] *= Math.Sqrt(3);
            return base.WindowAttention(scaled, k, window);
        }
    }

    private sealed class Attention_that_sees_the_next_key : EvictionMath
    {
        public override double[,,] WindowAttention(double[,,] q, double[,,] k, int window) => Reread(q, k, window, late: 1);
    }

    private sealed class Attention_that_does_not_see_its_own_key : EvictionMath
    {
        public override double[,,] WindowAttention(double[,,] q, double[,,] k, int window) => Reread(q, k, window, late: -1);
    }

    private sealed class Attention_of_query_heads_taken_in_turn : EvictionMath
    {
        public override double[,,] WindowAttention(double[,,] q, double[,,] k, int window)
        {
            (int h, int kv, int n) = (q.GetLength(0), k.GetLength(0), k.GetLength(1));
            double[,,] repeated = new double[h, n, 3];
            for (int x = 0; x < repeated.Length; x++) repeated[x / n / 3, x / 3 % n, x % 3] = k[x / n / 3 % kv, x / 3 % n, x % 3];
            return base.WindowAttention(q, repeated, window);
        }
    }

    private sealed class Window_mean_that_forgets_a_query : EvictionMath
    {
        public override double[,] WindowMean(double[,,] a)
        {
            (int w, int n) = (a.GetLength(1), a.GetLength(2) - a.GetLength(1));
            return Arrays.Table(a.GetLength(0), n, (i, j) => Enumerable.Range(0, Math.Max(1, w - 1)).Average(t => a[i, t, j]));
        }
    }

    private sealed class Window_mean_renormalised_over_the_prefix : EvictionMath
    {
        public override double[,] WindowMean(double[,,] a)
        {
            double[,] s = base.WindowMean(a);
            return Arrays.Table(s.GetLength(0), s.GetLength(1), (i, j) => s[i, j] / Arrays.Row(s, i).Sum());
        }
    }

    private sealed class Group_maximum_for_the_mean : EvictionMath
    {
        public override double[,] GroupReduce(double[,] s, int kvHeads) => Conformance.Theory.WindowScores.Group(s, kvHeads, Enumerable.Max);
    }

    private sealed class Groups_of_neighbours_apart : EvictionMath
    {
        public override double[,] GroupReduce(double[,] s, int kvHeads)
        {
            int group = s.GetLength(0) / kvHeads;
            return Arrays.Table(kvHeads, s.GetLength(1), (g, j) => Enumerable.Range(0, group).Average(i => s[(i * kvHeads) + g, j]));
        }
    }

    private sealed class Pooling_by_rows_that_exist : EvictionMath
    {
        public override double[,] Pool(double[,] s, int kernel, PoolKind kind)
        {
            int n = s.GetLength(1);
            double[,] pooled = base.Pool(s, kernel, kind);
            return kind == PoolKind.Max ? pooled : Arrays.Table(s.GetLength(0), n, (i, j) =>
                pooled[i, j] * kernel / (Math.Min(n - 1, j + (kernel / 2)) - Math.Max(0, j - (kernel / 2)) + 1));
        }
    }

    private sealed class Max_pooling_padded_with_zero : EvictionMath
    {
        public override double[,] Pool(double[,] s, int kernel, PoolKind kind)
        {
            double[,] pooled = base.Pool(s, kernel, kind);
            int half = kernel / 2, n = s.GetLength(1);
            return kind == PoolKind.Avg ? pooled : Arrays.Table(s.GetLength(0), n, (i, j) => j < half || j >= n - half ? Math.Max(0, pooled[i, j]) : pooled[i, j]);
        }
    }

    private sealed class Pooling_one_row_late : EvictionMath
    {
        public override double[,] Pool(double[,] s, int kernel, PoolKind kind)
        {
            int n = s.GetLength(1);
            return base.Pool(kernel == 1 ? s : Arrays.Table(s.GetLength(0), n, (i, j) => s[i, Math.Min(n - 1, j + 1)]), kernel, kind);
        }
    }

    private sealed class Pooling_that_takes_even_kernels : EvictionMath
    {
        public override double[,] Pool(double[,] s, int kernel, PoolKind kind) => base.Pool(s, kernel | 1, kind);
    }

    private sealed class Group_sum_for_the_mean : EvictionMath
    {
        public override double[,] GroupReduce(double[,] s, int kvHeads) => Conformance.Theory.WindowScores.Group(s, kvHeads, Enumerable.Sum);
    }

    // Attention whose queries stand one token later or earlier than they do.
    private static double[,,] Reread(double[,,] q, double[,,] k, int window, int late)
    {
        (int h, int n, int d) = (q.GetLength(0), q.GetLength(1), q.GetLength(2));
        double[,,] a = new double[h, window, n];
        for (int x = 0; x < h * window; x++)
        {
            (int i, int t) = (x / window, x % window);
            int last = n - window + t, seen = Math.Clamp(last + 1 + late, 1, n);
            double[] query = Arrays.Vector(q, i, last);
            double[] weights = WindowScores.Softmax([.. Enumerable.Range(0, seen).Select(j => Arrays.Dot(query, Arrays.Vector(k, i * k.GetLength(0) / h, j)) / Math.Sqrt(d))]);
            for (int j = 0; j < seen; j++) a[i, t, j] = weights[j];
        }

        return a;
    }
}
