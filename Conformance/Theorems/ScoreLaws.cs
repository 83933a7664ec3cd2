using KvIL.Conformance.Generators;
using KvIL.Conformance.Theory;
using KvIL.Eviction;

namespace KvIL.Conformance.Theorems;

/// <summary>Scores of the SnapKV family, from attention to pooling.</summary>
internal static class ScoreLaws
{
    private const string Snap = "SnapKV (arXiv:2404.14469)";

    private static readonly PoolKind[] s_kinds = [PoolKind.Max, PoolKind.Avg];

    private static readonly PoolOrder[] s_orders = [PoolOrder.GroupThenPool, PoolOrder.PoolThenGroup];

    public static EvictionLaw<WindowCase> SumsToOne { get; } = new(
        "P28", "Attention_rows_sum_to_one_and_their_prefix_is_the_score", "Σ_j a[i,t,j] = 1; w Σ_{j < n} s[i,j] = Σ_t (1 − window part)", "eviction.md 2.1, steps 3 to 5: no renormalising", "one, and sums", (m, c) =>
        {
            double[,,] a = m.WindowAttention(c.Queries(), c.Keys(), c.Window);
            double[,] s = m.WindowMean(a);
            Expect.True(s.GetLength(1) == c.Before, $"expected {c.Before} scores of a head, got {s.GetLength(1)}");
            for (int i = 0; i < c.Heads; i++)
            {
                double prefix = 0;
                for (int t = 0; t < c.Window; t++)
                {
                    double[] row = Arrays.Vector(a, i, t);
                    Near.Equal($"sum of row {t} of head {i}", 1, row.Sum(), m.Gamma(4 * c.Length));
                    prefix += row.Take(c.Before).Sum();
                }

                Near.Equal($"prefix of head {i}", prefix, c.Window * Arrays.Row(s, i).Sum(), m.Gamma(4 * c.Length) * c.Window);
            }
        });

    public static EvictionLaw<WindowCase> Causal { get; } = new(
        "P29", "A_later_key_does_not_change_an_earlier_query", "k(j) changed, j > position of t: a[·,t,·] unchanged", "eviction.md 2.1, step 2", "the function at other keys", (m, c) =>
        {
            double[,,] k = c.Keys();
            double[,,] before = m.WindowAttention(c.Queries(), k, c.Window);
            int from = c.Before + 1 + (c.Seed % c.Window); // this key and all later ones
            for (int g = 0; g < c.KvHeads; g++)
            {
                for (int j = from; j < c.Length; j++) k[g, j, 0] += 5;
            }

            double[,,] after = m.WindowAttention(c.Queries(), k, c.Window);
            for (int i = 0; i < c.Heads; i++)
            {
                for (int t = 0; t < from - c.Before; t++)
                {
                    for (int j = 0; j < c.Length; j++) Near.Equal($"a[{i}, {t}, {j}]", before[i, t, j], after[i, t, j], 0);
                }
            }
        });

    public static EvictionLaw<WindowCase> Mask { get; } = new(
        "P30", "Future_keys_have_no_weight_and_visible_ones_have_some", "a[i,t,j] = 0 ⇔ j > T − w + t", "eviction.md 2.1, step 2", "the mask", (m, c) =>
        {
            double[,,] a = m.WindowAttention(c.Queries(), c.Keys(), c.Window);
            for (int i = 0; i < c.Heads; i++)
            {
                for (int t = 0; t < c.Window; t++)
                {
                    for (int j = 0; j < c.Length; j++) Expect.True(a[i, t, j] > 0 == j <= c.Before + t, $"a[{i}, {t}, {j}] = {a[i, t, j]:R}");
                }
            }
        });

    public static EvictionLaw<WindowCase> Softmax { get; } = new(
        "P31", "Softmax_ignores_a_shift_survives_large_logits_and_has_the_ratios_of_exp", "softmax(x + 4096) = softmax(x); p_i / p_j = exp(x_i − x_j); −∞ has weight 0",
        "eviction.md 3: subtract the row's maximum", "ratios of exp", (m, c) =>
        {
            double[] x = [.. Draw.Values(c.Seed, 7, c.Length, ValueKind.Normal).Select(v => Math.ScaleB(Math.Round(Math.ScaleB(v, 8)), -8))]; // a shift is exact
            (double[] p, double[] shifted) = (m.Softmax(x), m.Softmax([.. x.Select(v => v + 4096)]));
            double[] masked = m.Softmax([.. x, double.NegativeInfinity]);
            double slack = m.Gamma((4 * c.Length) + 40);
            Expect.True(masked[^1] == 0, $"a masked logit has weight {masked[^1]:R}");
            for (int j = 0; j < x.Length; j++)
            {
                Near.Equal($"shifted p[{j}]", p[j], shifted[j], slack);
                Near.Equal($"masked p[{j}]", p[j], masked[j], slack);
                Near.Equal($"p[{j}]", p[0] * Math.Exp(x[j] - x[0]), p[j], slack * p[j]);
            }
        });

    public static EvictionLaw<WindowCase> Scale { get; } = new(
        "P31b", "Logits_are_products_over_the_root_of_the_dimension", "ln (a[i,t,j] / a[i,t,0]) = q_i(T − w + t) · (k(j) − k(0)) / √d", "eviction.md 2.1, step 1", "logarithms of ratios", (m, c) =>
        {
            (double[,,] q, double[,,] k) = (c.Queries(), c.Keys());
            double[,,] a = m.WindowAttention(q, k, c.Window);
            int d = q.GetLength(2);
            for (int x = 0; x < c.Heads * c.Window; x++)
            {
                (int i, int t) = (x / c.Window, x % c.Window);
                double[] query = Arrays.Vector(q, i, c.Before + t);
                double Logit(int j) => Arrays.Dot(query, Arrays.Vector(k, i / c.Group, j)) / Math.Sqrt(d);
                double size = Enumerable.Range(0, c.Before + t + 1).Max(j => query.Zip(Arrays.Vector(k, i / c.Group, j), (u, v) => Math.Abs(u * v)).Sum());
                for (int j = 1; j <= c.Before + t; j++)
                {
                    Near.Equal($"logit [{i}, {t}, {j}]", Logit(j) - Logit(0), Math.Log(a[i, t, j] / a[i, t, 0]), m.Gamma(c.Length + 40) * (4 + (8 * size)));
                }
            }
        });

    public static EvictionLaw<WindowCase> Pooling { get; } = new(
        "P32", "Pooling_is_the_naive_loop_and_refuses_even_kernels", "max over |o| ≤ k/2 inside the row; (1/k) Σ with zeros outside; k = 1 is the identity", "eviction.md 2.1, step 7", "two loops", (m, c) =>
        {
            double[,] x = c.Table(2);
            foreach (PoolKind kind in s_kinds)
            {
                Near.Equal($"{kind}", Arrays.Table(2, c.Before, (i, j) => Naive(x, i, j, c.Kernel, kind)), m.Pool(x, c.Kernel, kind), m.Gamma(2 * (c.Kernel + 1)) * 8);
                Near.Equal($"{kind} of kernel 1", x, m.Pool(x, 1, kind), m.Gamma(1) * 8);
                bool refused = false;
                try
                {
                    m.Pool(x, c.Kernel + 1, kind);
                }
                catch (ArgumentException)
                {
                    refused = true;
                }

                Expect.True(refused, $"a kernel of {c.Kernel + 1} is not refused");
            }
        });

    public static EvictionLaw<WindowCase> Commutes { get; } = new(
        "P33", "Average_pooling_commutes_with_means", "avg(mean S) = mean(avg S), so that the order of group and pool is free for averages; for max it is not (X3)",
        "eviction.md 2.1, table of step 6", "the other order", (m, c) =>
        {
            double[,] s = c.Table(c.Heads);
            Near.Equal(
                "scores", m.GroupReduce(m.Pool(s, c.Kernel, PoolKind.Avg), c.KvHeads), m.Pool(m.GroupReduce(s, c.KvHeads), c.Kernel, PoolKind.Avg),
                m.Gamma(4 * (c.Kernel + c.Group)) * 8);
        });

    public static EvictionLaw<WindowCase> Reversal { get; } = new(
        "P17c", "Reversing_tokens_commutes_with_pooling", "pool(reverse S) = reverse(pool S) for odd kernels", "eviction.md 5, P17", "the function at reversed rows", (m, c) =>
        {
            double[,] s = c.Table(2);
            int last = c.Before - 1;
            double[,] Reversed(double[,] x) => Arrays.Table(2, c.Before, (i, j) => x[i, last - j]);
            foreach (PoolKind kind in s_kinds)
            {
                Near.Equal($"{kind}", Reversed(m.Pool(s, c.Kernel, kind)), m.Pool(Reversed(s), c.Kernel, kind), m.Gamma(2 * (c.Kernel + 1)) * 8);
            }
        });

    public static EvictionLaw<WindowCase> Groups { get; } = new(
        "P34", "Copies_of_a_query_head_score_as_the_head_and_a_group_of_one_is_no_group", "q_i = q_{i'} inside a group ⇒ scores of one of them; G = 1 ⇒ no reduction", $"{Snap}; eviction.md 1.7",
        "the function without the copies", (m, c) =>
        {
            (double[,,] copies, double[,,] one, double[,,] k) = (c.Queries(i => i / c.Group), (c with { Group = 1 }).Queries(), c.Keys());
            foreach (PoolOrder order in s_orders)
            {
                foreach (PoolKind kind in s_kinds)
                {
                    double[,] expected = m.WindowScores(one, k, c.Window, c.Kernel, kind, order);
                    double[,] alone = m.Pool(m.WindowMean(m.WindowAttention(one, k, c.Window)), c.Kernel, kind);
                    Near.Equal($"{order}, {kind}", expected, m.WindowScores(copies, k, c.Window, c.Kernel, kind, order), m.Gamma(4 * (c.Kernel + c.Group)));
                    Near.Equal($"{order}, {kind}, a group of one", alone, expected, m.Gamma(4));
                }
            }
        });

    public static EvictionLaw<WindowCase> GroupMean { get; } = new(
        "P34b", "A_group_ranks_by_its_sum", "G · reduce(S) = Σ_{i in g} S_i: what ε asks for (mean and sum rank alike, max does not)", "eviction.md 1.7", "the sum", (m, c) =>
        {
            double[,] s = c.Table(c.Heads), reduced = m.GroupReduce(s, c.KvHeads);
            Near.Equal(
                "sums", Arrays.Table(c.KvHeads, c.Before, (g, j) => Enumerable.Range(g * c.Group, c.Group).Sum(i => s[i, j])),
                Arrays.Table(c.KvHeads, c.Before, (g, j) => c.Group * reduced[g, j]), m.Gamma(4 * c.Group) * 8 * c.Group);
        });

    public static EvictionLaw<WindowCase> OwnGroup { get; } = new(
        "P35", "A_query_head_moves_the_scores_of_its_own_kv_head_alone", "q_i changed ⇒ exactly the scores of KV head ⌊i / G⌋ change", "eviction.md 1.7, 5", "the function at another query head", (m, c) =>
        {
            double[,] Scores(double[,,] q) => m.WindowScores(q, c.Keys(), c.Window, 1, PoolKind.Avg, PoolOrder.GroupThenPool);
            int spiked = c.Seed % c.Heads;
            double[,,] q = c.Queries();
            double[,] before = Scores(q);
            for (int t = c.Before; t < c.Length; t++) q[spiked, t, 0] += 9;
            double[,] after = Scores(q);
            double[,] Share(double[,,] x) => WindowScores.MeanOverWindow(WindowScores.Attention(x, c.Keys(), c.Window), c.Before);
            bool moves = Arrays.Row(Share(c.Queries()), spiked).Zip(Arrays.Row(Share(q), spiked), (x, y) => Math.Abs(x - y)).Max() > 1e-4;
            for (int g = 0; g < c.KvHeads; g++)
            {
                bool same = Arrays.Row(before, g).SequenceEqual(Arrays.Row(after, g)), own = g == spiked / c.Group;
                Expect.True(own ? !same || !moves : same, $"query head {spiked}: scores of KV head {g} {(same ? "stay" : "change")}");
            }
        });

    /// <summary>Every law here.</summary>
    public static IEnumerable<EvictionLaw> All =>
        [SumsToOne, Causal, Mask, Softmax, Scale, Pooling, Commutes, Reversal, Groups, GroupMean, OwnGroup];

    private static double Naive(double[,] x, int i, int j, int kernel, PoolKind kind)
    {
        double result = kind == PoolKind.Max ? double.NegativeInfinity : 0;
        for (int o = -(kernel / 2); o <= kernel / 2; o++)
        {
            if (j + o < 0 || j + o >= x.GetLength(1)) continue;
            result = kind == PoolKind.Max ? Math.Max(result, x[i, j + o]) : result + (x[i, j + o] / kernel);
        }

        return result;
    }
}
