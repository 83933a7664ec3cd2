using System.Numerics;
using KvIL.Conformance.Generators;
using KvIL.Eviction;

namespace KvIL.Conformance.Theorems;

/// <summary>How a layer's rows are divided over its heads: the four rules, and an allocator of one's own.</summary>
internal static class AllocationLaws
{
    private const string Ada = "Ada-KV (arXiv:2407.11550)";

    private static readonly HeadAllocation[] s_rules = Enum.GetValues<HeadAllocation>();

    /// <summary>Rows of each head for scores and a total.</summary>
    private delegate int[] Allocator(float[][] scores, long total);

    public static EvictionLaw<HeadsCase> Total { get; } = Both(
        "P13", "Every_rule_meets_its_total_exactly", "Σ B_i = min(B, Σ n_i) for every B, every r", "eviction.md 2.5; VeloxQuant-MLX #31, AdaKV's rounding drift", "the total", MeetsTotal);

    public static EvictionLaw<HeadsCase> Guarantee { get; } = new(
        "P14", "Blend_and_floor_guarantee_their_share", "B_i ≥ ⌊r B / H⌋", "eviction.md 2.5; kvpress's AdaKV: alpha is a head's guaranteed fraction", "integer division", (m, c) =>
        {
            c = c.Equal();
            for (int total = 0; total <= c.Rows; total++)
            {
                long least = c.Share.Floor(total) / c.Heads; // ⌊⌊rB⌋ / H⌋ = ⌊rB / H⌋
                foreach (HeadAllocation rule in (HeadAllocation[])[HeadAllocation.Blend, HeadAllocation.Floor])
                {
                    int[] counts = m.AllocateHeads(c.Scores(), total, rule, c.Share);
                    Expect.True(counts.Min() >= least, $"{rule} at {total}: expected at least {least} rows, got {counts.Min()}");
                }
            }
        });

    public static EvictionLaw<HeadsCase> Limits { get; } = new(
        "P15", "Share_0_is_pure_and_share_1_is_uniform", "r = 0 ⇒ B_i = f_i; r = 1 ⇒ ⌊B/H⌋ and one more for the B mod H lowest heads", $"{Ada}, algorithm 2 as its code has it; eviction.md 1.8",
        "quotient and remainder", (m, c) =>
        {
            c = c.Equal();
            float[][] scores = c.Scores();
            for (int total = 0; total <= c.Rows; total++)
            {
                int[] uniform = [.. c.Candidates.Select((_, h) => (total / c.Heads) + (h < total % c.Heads ? 1 : 0))];
                int[] pure = m.AllocateHeads(scores, total, HeadAllocation.Pure, default);
                Near.Same($"uniform at {total}", uniform, m.AllocateHeads(scores, total, HeadAllocation.Uniform, default));
                Near.Same($"blend of share 1 at {total}", uniform, m.AllocateHeads(scores, total, HeadAllocation.Blend, new(1, 1)));
                Near.Same($"blend of share 0 at {total}", pure, m.AllocateHeads(scores, total, HeadAllocation.Blend, default));
                Near.Same($"floor of share 0 at {total}", pure, m.AllocateHeads(scores, total, HeadAllocation.Floor, default));
                if (total % c.Heads == 0) Near.Same($"floor of share 1 at {total}", uniform, m.AllocateHeads(scores, total, HeadAllocation.Floor, new(1, 1)));
            }
        });

    public static EvictionLaw<HeadsCase> Quota { get; } = new(
        "P15b", "A_blend_is_within_a_row_of_its_quota_and_spare_rows_go_by_remainder", "|B_i − ((1 − r) f_i + r B/H)| < 1; larger remainders first, then lower heads",
        $"{Ada}, algorithm 2; method of the largest remainder (Balinski and Young: quota rule)", "rationals", (m, c) =>
        {
            c = c.Equal();
            float[][] scores = c.Scores();
            for (int total = 0; total <= c.Rows; total++)
            {
                int[] pure = m.AllocateHeads(scores, total, HeadAllocation.Pure, default);
                int[] blend = m.AllocateHeads(scores, total, HeadAllocation.Blend, c.Share);
                long one = (long)c.Heads * c.Share.Denominator;
                long[] quotas = [.. pure.Select(f => ((c.Share.Denominator - c.Share.Numerator) * c.Heads * f) + (c.Share.Numerator * total))];
                LayerLaws.IsByLargestRemainder(blend, [.. quotas.Select(q => (BigInteger)q)], one);
            }
        });

    public static EvictionLaw<HeadsCase> Monotone { get; } = new(
        "P16", "No_head_loses_a_row_when_the_total_grows", "B_i(B) ≤ B_i(B + 1) between heads of equal length; a floor in steps of H", "eviction.md 2.5, proof sketch", "the function at the next total",
        (m, c) => ForEachRule(m, c.Equal(), (rule, allocate, d) => Grows(d, allocate, rule == HeadAllocation.Floor ? d.Heads : 1)));

    public static EvictionLaw<HeadsCase> Equivariant { get; } = new(
        "P17", "Budgets_follow_their_heads_when_no_scores_tie", "B(π S) = π B(S); uniform and blend to within the row of a remainder", "eviction.md 2.6", "the function at permuted heads",
        (m, c) => ForEachRule(m, c, (rule, allocate, d) => Follows(d, allocate, rule is HeadAllocation.Pure or HeadAllocation.Floor ? 0 : 1)));

    public static EvictionLaw<HeadsCase> Scaled { get; } = new(
        "P18", "Scaling_all_scores_changes_nothing", "B(8 S) = B(S)", "ranks do not change; of one head's scores they do (X1)", "the function at scaled scores",
        (m, c) => ForEachRule(m, c, (_, allocate, d) => IgnoresScale(d, allocate)));

    public static EvictionLaw<HeadsCase> Dummy { get; } = new(
        "P19", "A_head_of_minus_infinities_takes_nothing", "S_{H+1} = −∞ ⇒ f_{H+1} = 0 and f_i unchanged, B ≤ Σ n_i", $"{Ada}, algorithm 1", "the function without the head", (m, c) =>
        {
            float[][] scores = c.Scores();
            float[][] more = [.. scores, Enumerable.Repeat(float.NegativeInfinity, 4).ToArray()];
            for (int total = 0; total <= c.Rows; total++)
            {
                int[] counts = m.AllocateHeads(scores, total, HeadAllocation.Pure, default);
                Near.Same($"at {total}", [.. counts, 0], m.AllocateHeads(more, total, HeadAllocation.Pure, default));
            }
        });

    public static EvictionLaw<HeadsCase> Numbers { get; } = Both(
        "P22b", "NaN_ranks_as_minus_infinity_and_minus_zero_as_zero", "B(S with NaN → −∞, −0 → +0) = B(S)", "eviction.md 2.6: one total order", "the function at the numbers", IgnoresNaN);

    public static EvictionLaw<HeadsCase> Repeats { get; } = Both(
        "P27", "Allocation_repeats_on_all_threads_and_writes_to_nothing", "B(S) = B(S)", "related.md 10, law 10; design: results do not depend on threads", "the function again, on two threads", IsAFunction);

    public static EvictionLaw<HeadsCase> OwnMonotone { get; } = Own(
        "A2", "Own_allocator_takes_no_row_from_a_head_when_the_total_grows", "P16 for EvictionMath.Allocate", AllocatorClaims.Monotone, (c, allocate) => Grows(c.Equal(), allocate, 1));

    public static EvictionLaw<HeadsCase> OwnEquivariant { get; } = Own(
        "A3", "Own_allocator_follows_its_heads", "P17 for EvictionMath.Allocate, to within one row", AllocatorClaims.Equivariant, (c, allocate) => Follows(c, allocate, 1));

    public static EvictionLaw<HeadsCase> OwnScaled { get; } = Own(
        "A4", "Own_allocator_ignores_a_common_scale", "P18 for EvictionMath.Allocate", AllocatorClaims.ScaleInvariant, IgnoresScale);

    /// <summary>Every law here.</summary>
    public static IEnumerable<EvictionLaw> All =>
        [Total, Guarantee, Limits, Quota, Monotone, Equivariant, Scaled, Dummy, Numbers, Repeats, OwnMonotone, OwnEquivariant, OwnScaled];

    private static EvictionLaw<HeadsCase> Own(string number, string name, string statement, AllocatorClaims needs, Action<HeadsCase, Allocator> holds) => new(
        number, name, statement, "the same law of the rules", "the same", (m, c) => holds(c, m.Allocate)) { Needs = needs };

    // A law of every rule and of every allocator.
    private static EvictionLaw<HeadsCase> Both(string number, string name, string statement, string source, string oracle, Action<HeadsCase, Allocator> holds) => new(
        number, name, statement, source, oracle, (m, c) =>
        {
            ForEachRule(m, c, (_, allocate, d) => holds(d, allocate));
            holds(c, m.Allocate);
        });

    private static void ForEachRule(EvictionMath m, HeadsCase c, Action<HeadAllocation, Allocator, HeadsCase> holds)
    {
        foreach (HeadAllocation rule in s_rules) holds(rule, (scores, total) => m.AllocateHeads(scores, total, rule, c.Share), c);
    }

    private static void MeetsTotal(HeadsCase c, Allocator allocate)
    {
        float[][] scores = c.Scores();
        for (int total = 0; total <= c.Rows + 2; total++)
        {
            int[] counts = allocate(scores, total);
            Expect.True(counts.Length == c.Heads, $"expected {c.Heads} heads, got {counts.Length}");
            Expect.True(counts.Sum() == Math.Min(total, c.Rows), $"expected {Math.Min(total, c.Rows)} rows in all, got [{string.Join(' ', counts)}]");
            foreach ((int rows, int most) in counts.Zip(c.Candidates)) Expect.True(rows >= 0 && rows <= most, $"at {total}: {rows} rows of a head of {most}");
        }
    }

    private static void Grows(HeadsCase c, Allocator allocate, int step)
    {
        float[][] scores = c.Scores();
        for (int total = 0; total + step <= c.Rows; total += step)
        {
            (int[] fewer, int[] more) = (allocate(scores, total), allocate(scores, total + step));
            for (int h = 0; h < c.Heads; h++) Expect.True(fewer[h] <= more[h], $"head {h}: {fewer[h]} rows of {total}, {more[h]} of {total + step}");
        }
    }

    private static void Follows(HeadsCase c, Allocator allocate, int slack)
    {
        float[][] scores = c.Distinct();
        int[] order = [.. Enumerable.Range(0, c.Heads)];
        new Random(c.Seed).Shuffle(order);
        for (int total = 0; total <= c.Rows; total++)
        {
            (int[] before, int[] after) = (allocate(scores, total), allocate([.. order.Select(h => scores[h])], total));
            for (int i = 0; i < c.Heads; i++)
            {
                Expect.True(Math.Abs(after[i] - before[order[i]]) <= slack, $"at {total}: head {order[i]} has {before[order[i]]} rows, as head {i} {after[i]}");
            }
        }
    }

    private static void IgnoresScale(HeadsCase c, Allocator allocate)
    {
        float[][] scores = c.Scores(), scaled = [.. scores.Select(row => row.Select(x => x * 8).ToArray())];
        for (int total = 0; total <= c.Rows; total++) Near.Same($"at {total}", allocate(scores, total), allocate(scaled, total));
    }

    private static void IgnoresNaN(HeadsCase c, Allocator allocate)
    {
        float[][] scores = (c with { Kind = ValueKind.Specials }).Scores();
        float[][] numbers = [.. scores.Select(row => row.Select(x => float.IsNaN(x) ? float.NegativeInfinity : x == 0 ? 0f : x).ToArray())];
        for (int total = 0; total <= c.Rows; total++) Near.Same($"at {total}", allocate(numbers, total), allocate(scores, total));
    }

    private static void IsAFunction(HeadsCase c, Allocator allocate)
    {
        float[][] scores = c.Scores(), copy = c.Scores();
        int total = c.Rows / 2;
        int[] once = allocate(scores, total);
        int[][] again = new int[2][];
        Parallel.For(0, 2, i => again[i] = allocate(scores, total));
        Near.Same("again", [once, once], again);
        for (int h = 0; h < c.Heads; h++) Expect.Same<float>($"scores of head {h}", copy[h], scores[h], (a, b) => a.Equals(b));
    }
}
