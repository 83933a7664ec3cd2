using KvIL.Conformance.Theory;
using KvIL.Eviction;

namespace KvIL.Conformance.Theorems;

/// <summary>Published examples, and counterexamples to what nobody promises.</summary>
internal static class ExampleLaws
{
    public static EvictionLaw<OneCase> Figure1 { get; } = new(
        "X2", "Figure_1_of_Ada_KV", "B = 6: uniform keeps mass 2.26, Ada (4, 1, 1) 2.48; blend r = 1/2 (3, 2, 1) 2.35", "Ada-KV (arXiv:2407.11550), figure 1; eviction.md 6.7", "the printed numbers", (m, _) =>
        {
            float[][] scores =
            [
                [.32f, .01f, .18f, .08f, .22f, .19f], [.89f, .01f, .05f, .02f, .01f, .02f], [.68f, .01f, .08f, .04f, .09f, .10f],
            ];
            foreach ((HeadAllocation rule, Ratio r, int[] counts, double mass) in ((HeadAllocation, Ratio, int[], double)[])[
                (HeadAllocation.Uniform, default, [2, 2, 2], 2.26), (HeadAllocation.Pure, default, [4, 1, 1], 2.48), (HeadAllocation.Blend, new(1, 5), [4, 1, 1], 2.48),
                (HeadAllocation.Blend, new(1, 2), [3, 2, 1], 2.35), (HeadAllocation.Floor, new(1, 2), [4, 1, 1], 2.48), (HeadAllocation.Floor, new(1, 1), [2, 2, 2], 2.26)])
            {
                int[] actual = m.AllocateHeads(scores, 6, rule, r);
                Near.Same($"{rule} {r}", counts, actual);
                Near.Equal($"mass of {rule} {r}", mass, actual.Select((keep, h) => m.SelectRows(scores[h], 0, 6, keep).Sum(j => (double)scores[h][j])).Sum(), 1e-6);
            }
        });

    public static EvictionLaw<OneCase> Tie { get; } = new(
        "P21", "One_hot_flat_and_tied_heads_get_their_shares", "a one-hot head keeps 1 row, a flat one the rest; ties go to the lower head, then the lower position", "eviction.md 5, P21 and the worked example", "the worked numbers", (m, _) =>
        {
            float[] flat = [.. Enumerable.Repeat(0.1f, 10)], concentrated = [0.01f, 0.91f, .. Enumerable.Repeat(0.01f, 8)];
            Near.Same("concentrated and flat", [1, 7], m.AllocateHeads([concentrated, flat], 8, HeadAllocation.Pure, default));
            float[][] scores = [[.5f, .3f, .1f, .1f], [.26f, .25f, .25f, .24f]];
            foreach ((int total, int[] counts, int[] rows) in ((int, int[], int[])[])[(3, [2, 1], [0]), (4, [2, 2], [0, 1]), (5, [2, 3], [0, 1, 2])])
            {
                int[] actual = m.AllocateHeads(scores, total, HeadAllocation.Pure, default);
                Near.Same($"B = {total}", counts, actual);
                Near.Same($"rows of the second head, B = {total}", rows, m.SelectRows(scores[1], 0, 4, actual[1]));
            }

            Near.Same("equal heads", [2, 1], m.AllocateHeads([[1, 1], [1, 1]], 3, HeadAllocation.Pure, default));
        });

    public static EvictionLaw<OneCase> Fork { get; } = new(
        "P46", "The_documented_example_of_the_removal_fork", "[[3,4,5,9999],[1,1,1,9998]], B = 4: head 1 keeps {4,5,9999}, head 2 {9998}", "AdaKV-in-kvpress e05772c; eviction.md 2.8", "the example", (m, _) =>
        {
            float[][] scores = [[3, 4, 5, 9999], [1, 1, 1, 9998]];
            int[] counts = m.AllocateHeads(scores, 4, HeadAllocation.Pure, default);
            Near.Same("rows", [[1, 2, 3], [3]], [.. counts.Select((keep, h) => m.SelectRows(scores[h], 0, 4, keep))]);
        });

    public static EvictionLaw<OneCase> PerHeadScale { get; } = new(
        "X1", "Scaling_one_head_changes_the_split", "B([[4,3],[2,1]]) = (2,0), B([[4,3],[8,4]]) = (1,1)", "eviction.md 5, P18: not invariant per head", "a counterexample", (m, _) =>
        {
            Near.Same("before", [2, 0], m.AllocateHeads([[4, 3], [2, 1]], 2, HeadAllocation.Pure, default));
            Near.Same("after", [1, 1], m.AllocateHeads([[4, 3], [8, 4]], 2, HeadAllocation.Pure, default));
        });

    public static EvictionLaw<OneCase> MaxDoesNotCommute { get; } = new(
        "X3", "Max_pooling_does_not_commute_with_a_mean", "max([1,0,0,0], [0,1,0,0]) pooled first: 1, 1, 1/2, 0; mean first: 1/2, 1/2, 1/2, 0", "eviction.md 2.1: Ada-KV's paper pools first, its code last", "a counterexample", (m, _) =>
        {
            double[,] two = { { 1, 0, 0, 0 }, { 0, 1, 0, 0 } };
            Near.Equal("mean first", new[,] { { .5, .5, .5, 0 } }, m.Pool(m.GroupReduce(two, 1), 3, PoolKind.Max), 0);
            Near.Equal("pooled first", new[,] { { 1, 1, .5, 0 } }, m.GroupReduce(m.Pool(two, 3, PoolKind.Max), 1), 0);
        });

    public static EvictionLaw<OneCase> EdgesShrink { get; } = new(
        "P32b", "Averages_shrink_towards_the_ends", "k = 7 of ones: 4/7, 5/7, 6/7, 1, …", "eviction.md 2.1, step 7: the divisor is always k", "the printed numbers", (m, _) => Near.Equal(
            "averages", new[,] { { 4 / 7.0, 5 / 7.0, 6 / 7.0, 1, 1, 6 / 7.0, 5 / 7.0, 4 / 7.0 } },
            m.Pool(Arrays.Table(1, 8, (_, _) => 1), 7, PoolKind.Avg), m.Gamma(16)));

    public static EvictionLaw<OneCase> LossMayGrow { get; } = new(
        "P12", "Adas_loss_may_exceed_uniforms_though_its_bound_does_not", "A_1 = (.45, .45, .1), U_1 = 0; A_2 = (.34, .33, .33), U_2 = 1; B = 2: L is 1 and 0, ε is 2.2 and 2.42",
        "eviction.md 1.5: L_Ada ≤ L_uniform is not promised", "a counterexample", (m, _) =>
        {
            double[,] a = { { .45, .45, .1 }, { .34, .33, .33 } };
            double[,,] u = { { { 0 }, { 0 }, { 0 } }, { { 1 }, { 1 }, { 1 } } };
            bool[,] ada = { { true, true, false }, { false, false, false } }, uniform = { { true, false, false }, { true, false, false } };
            float[][] scores = [[.45f, .45f, .1f], [.34f, .33f, .33f]];
            Near.Same("Ada", [2, 0], m.AllocateHeads(scores, 2, HeadAllocation.Pure, default));
            Near.Same("uniform", [1, 1], m.AllocateHeads(scores, 2, HeadAllocation.Uniform, default));
            double slack = m.Gamma(40) * 3;
            Near.Equal("L of Ada", 1, m.Loss(a, u, ada), slack);
            Near.Equal("L of uniform", 0, m.Loss(a, u, uniform), slack);
            Near.Equal("eps of Ada", 2.2, m.Epsilon(a, u, ada), slack);
            Near.Equal("eps of uniform", 2.42, m.Epsilon(a, u, uniform), slack);
        });

    /// <summary>Every law here.</summary>
    public static IEnumerable<EvictionLaw> All => [LossMayGrow, Tie, EdgesShrink, Fork, PerHeadScale, Figure1, MaxDoesNotCommute];
}
