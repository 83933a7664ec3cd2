using KvIL.Conformance.Generators;
using KvIL.Conformance.Theory;
using KvIL.Eviction;

namespace KvIL.Conformance.Theorems;

/// <summary>What is optimal for the bound: theorems 3.2 and 3.3 and their kin, by trying all subsets.</summary>
internal static class OptimalityLaws
{
    private const int MostRows = 11;
    private const string Ada = "Ada-KV (arXiv:2407.11550)";

    public static EvictionLaw<HeadsCase> BestOfEachHead { get; } = new(
        "P8", "The_best_rows_of_each_head_minimise_eps_for_fixed_budgets", "I_i = top B_i of A_i minimises ε given {B_i}", $"{Ada}, theorem 3.2",
        "all subsets of each head", (m, c) =>
        {
            c = c.Equal(MostRows);
            (double[,] a, float[][] scores) = c.Attention();
            double[,,] u = Ones(c.Heads, c.Candidates[0]);
            for (int keep = 0; keep <= c.Candidates[0]; keep++)
            {
                int[] counts = [.. c.Candidates.Select((n, h) => (keep + h) % (n + 1))];
                double best = scores.Select((row, h) => BruteForce.BestMasses([Doubles(row)], _ => 0)[counts[h]]).Sum();
                double eps = m.Epsilon(a, u, Kept(m, scores, counts));
                Near.Equal($"eps at [{string.Join(' ', counts)}] rows", 2 * (c.Heads - best), eps, m.Gamma(4 * c.Rows) * 2 * c.Heads);
            }
        }) { OneIn = 2 };

    public static EvictionLaw<HeadsCase> GlobalTop { get; } = new(
        "P9", "Algorithm_1_minimises_eps_over_all_keep_sets", "min over all sets of B rows of ε = ε(Algorithm 1)", $"{Ada}, algorithm 1, theorem 3.3", "all subsets of all heads",
        (m, c) => IsOptimal(m, c, HeadAllocation.Pure, _ => 0)) { OneIn = 4 };

    public static EvictionLaw<HeadsCase> AnyComposition { get; } = new(
        "P10", "No_composition_of_the_budget_has_a_smaller_eps_than_Algorithm_1", "ε_Ada ≤ ε_{B_1 … B_h} for all Σ B_i = B; = ε_uniform where heads are permutations of one another",
        $"{Ada}, theorem 3.3", "all compositions", (m, c) =>
        {
            c = c.Equal(10);
            (double[,] a, float[][] scores) = c.Attention();
            for (int total = 0; total <= c.Rows; total += 2)
            {
                double pure = Epsilon(m, a, scores, Counts(m, scores, total, HeadAllocation.Pure));
                foreach (int[] counts in BruteForce.Compositions(c.Candidates, total))
                {
                    Near.AtMost($"eps_Ada and eps at [{string.Join(' ', counts)}]", pure, Epsilon(m, a, scores, counts), m.Gamma(4 * c.Rows) * 2 * c.Heads);
                }
            }

            float[][] same = [.. Enumerable.Range(0, c.Heads).Select(h => scores[0].Skip(h % c.Candidates[0]).Concat(scores[0].Take(h % c.Candidates[0])).ToArray())];
            double[,] b = Arrays.Table(c.Heads, c.Candidates[0], (i, j) => same[i][j]);
            for (int total = 0; total <= c.Rows; total++)
            {
                double pure = Epsilon(m, b, same, Counts(m, same, total, HeadAllocation.Pure));
                double uniform = Epsilon(m, b, same, Counts(m, same, total, HeadAllocation.Uniform));
                Near.Equal($"eps of permuted heads at {total}", uniform, pure, m.Gamma(4 * c.Rows) * 2 * c.Heads);
            }
        }) { OneIn = 4 };

    public static EvictionLaw<HeadsCase> BlendBetween { get; } = new(
        "P11", "Eps_of_a_blend_lies_between_Adas_and_uniforms", "H | B ⇒ ε_Ada ≤ ε_blend ≤ ε_uniform", "eviction.md 1.8", "the functions against one another", (m, c) =>
        {
            c = c.Equal();
            (double[,] a, float[][] scores) = c.Attention();
            for (int total = 0; total <= c.Rows; total += c.Heads)
            {
                double slack = m.Gamma(4 * c.Rows) * 2 * c.Heads;
                double blend = Epsilon(m, a, scores, m.AllocateHeads(scores, total, HeadAllocation.Blend, c.Share));
                Near.AtMost($"eps_Ada and eps_blend at {total}", Epsilon(m, a, scores, Counts(m, scores, total, HeadAllocation.Pure)), blend, slack);
                Near.AtMost($"eps_blend and eps_uniform at {total}", blend, Epsilon(m, a, scores, Counts(m, scores, total, HeadAllocation.Uniform)), slack);
            }
        });

    public static EvictionLaw<HeadsCase> FloorIsOptimal { get; } = new(
        "P20", "A_floor_minimises_eps_among_sets_with_its_minimum", "min { ε : B_i ≥ ⌊r B / H⌋ } = ε_floor", "eviction.md 2.5; kvpress's AdaKV", "all subsets with the minimum",
        (m, c) => IsOptimal(m, c, HeadAllocation.Floor, total => c.Share.Floor(total) / c.Heads)) { OneIn = 4 };

    public static EvictionLaw<HeadsCase> MoreIsNeverWorse { get; } = new(
        "R12", "More_budget_never_raises_eps", "B ≤ B' ⇒ ε(B') ≤ ε(B), and the kept sets of Algorithm 1 are nested", "related.md 10, law 12; Ada-KV, theorem 3.3",
        "the function at the next total", (m, c) =>
        {
            c = c.Equal();
            (double[,] a, float[][] scores) = c.Attention();
            foreach ((HeadAllocation rule, int step) in ((HeadAllocation, int)[])[
                (HeadAllocation.Uniform, 1), (HeadAllocation.Pure, 1), (HeadAllocation.Blend, 1), (HeadAllocation.Floor, c.Heads)])
            {
                for (int total = 0; total + step <= c.Rows; total += step)
                {
                    bool[,] fewer = Kept(m, scores, m.AllocateHeads(scores, total, rule, c.Share));
                    bool[,] more = Kept(m, scores, m.AllocateHeads(scores, total + step, rule, c.Share));
                    Near.AtMost($"eps at {total + step} and {total}, {rule}", m.Epsilon(a, Ones(c.Heads, c.Candidates[0]), more), m.Epsilon(a, Ones(c.Heads, c.Candidates[0]), fewer), m.Gamma(4 * c.Rows) * 2 * c.Heads);
                    bool nested = fewer.Cast<bool>().Zip(more.Cast<bool>()).All(p => !p.First || p.Second);
                    Expect.True(nested, $"{rule}: a row kept at {total} is dropped at {total + step}");
                }
            }
        });

    public static EvictionLaw<LossCase> Weighted { get; } = new(
        "E4", "Heads_weighted_by_their_norms_minimise_eps_head", "global top B of C_i A_i^j minimises ε_head", "eviction.md 1.3, after theorem 3.3", "all compositions", (m, c) =>
        {
            c = c with { Group = 1, Tokens = Math.Min(c.Tokens, 6) };
            double[,] table = c.Attention();
            double[][] a = [.. Enumerable.Range(0, c.Heads).Select(i => Arrays.Row(table, i))];
            double[] norms = m.HeadNorms(c.Contributions());
            int total = c.Heads * c.Tokens / 3;
            double Dropped(int[] counts) => counts.Select((keep, i) => norms[i] * a[i].Order().Take(c.Tokens - keep).Sum()).Sum();
            int[] weighted = m.AllocateWeighted(a, norms, total);
            Expect.True(weighted.Sum() == total, $"expected {total} rows, got {weighted.Sum()}");
            double least = BruteForce.Compositions([.. a.Select(row => row.Length)], total).Min(Dropped);
            Near.AtMost("eps_head / 2", Dropped(weighted), least, m.Gamma(8 * (c.Heads + c.Tokens)) * (1 + least));
        }) { OneIn = 4 };

    /// <summary>Every law here.</summary>
    public static IEnumerable<EvictionLaw> All => [Weighted, BestOfEachHead, GlobalTop, AnyComposition, BlendBetween, FloorIsOptimal, MoreIsNeverWorse];

    // C = 1: ε = 2 Σ (1 − F).
    private static double[,,] Ones(int heads, int tokens)
    {
        double[,,] u = new double[heads, tokens, 1];
        for (int x = 0; x < u.Length; x++) u[x / tokens, x % tokens, 0] = 1;
        return u;
    }

    private static void IsOptimal(EvictionMath m, HeadsCase c, HeadAllocation rule, Func<int, long> least)
    {
        int heads = Math.Min(c.Heads, MostRows / 2);
        c = (c with { Candidates = c.Candidates[..heads] }).Equal(MostRows);
        (double[,] a, float[][] scores) = c.Attention();
        double[] best = BruteForce.BestMasses([.. scores.Select(Doubles)], least);
        for (int total = 0; total <= c.Rows; total++)
        {
            double eps = Epsilon(m, a, scores, m.AllocateHeads(scores, total, rule, c.Share));
            Near.Equal($"eps at {total} rows", 2 * (c.Heads - best[total]), eps, m.Gamma(4 * c.Rows) * 2 * c.Heads);
        }
    }

    private static int[] Counts(EvictionMath m, float[][] scores, long total, HeadAllocation rule) => m.AllocateHeads(scores, total, rule, default);

    private static double Epsilon(EvictionMath m, double[,] a, float[][] scores, int[] counts) =>
        m.Epsilon(a, Ones(a.GetLength(0), a.GetLength(1)), Kept(m, scores, counts));

    private static bool[,] Kept(EvictionMath m, float[][] scores, int[] counts)
    {
        bool[,] kept = new bool[scores.Length, scores[0].Length];
        for (int h = 0; h < counts.Length; h++)
        {
            foreach (int j in m.SelectRows(scores[h], 0, scores[h].Length, counts[h])) kept[h, j] = true;
        }

        return kept;
    }

    private static double[] Doubles(float[] row) => [.. row.Select(x => (double)x)];
}
