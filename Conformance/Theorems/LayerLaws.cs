using System.Numerics;
using KvIL.Conformance.Generators;
using KvIL.Conformance.Theory;

namespace KvIL.Conformance.Theorems;

/// <summary>Budgets of layers, and what a share of rows means.</summary>
internal static class LayerLaws
{
    private const string Pyramid = "PyramidKV (arXiv:2406.02069)";

    public static EvictionLaw<LayersCase> PyramidFalls { get; } = new(
        "P37", "The_pyramid_meets_its_total_falls_and_fits", "Σ b_l = L · min(rows, n), b_l ≥ b_{l+1}, 0 ≤ b_l ≤ n; β = 1 or L = 1 is uniform", $"{Pyramid}; KVCache-Factory #22 (over budget), kvpress #266 (L = 1)",
        "the total", (m, c) =>
        {
            int[] budgets = m.PyramidExact(c.Rows, c.Candidates, c.Beta, c.Layers);
            int mean = Math.Min(c.Rows, c.Candidates);
            Expect.True(budgets.Length == c.Layers, $"expected {c.Layers} layers, got {budgets.Length}");
            Expect.True(budgets.Sum() == c.Layers * mean, $"expected {c.Layers * mean} rows in all, got {budgets.Sum()}");
            Expect.True(budgets.All(b => b >= 0 && b <= c.Candidates), $"a layer is outside of [0, {c.Candidates}]");
            Near.Same("a falling schedule", [.. budgets.OrderDescending()], budgets);
            int[] uniform = m.UniformLayers(c.Rows, c.Candidates, c.Layers);
            Near.Same("uniform", [.. Enumerable.Repeat(mean, c.Layers)], uniform);
            Near.Same("beta 1", uniform, m.PyramidExact(c.Rows, c.Candidates, 1, c.Layers));
        });

    public static EvictionLaw<LayersCase> PyramidIdeal { get; } = new(
        "P37b", "The_pyramid_is_within_a_row_of_its_arithmetic_progression", "|b_l − (high − l (high − low)/(L − 1))| < 1, low = rows/β, high = 2 rows − low, high ≤ n", $"{Pyramid}; KVCache-Factory #36: divisor m − 1",
        "rationals", (m, c) =>
        {
            if (c.Layers < 2 || c.Rows >= c.Candidates) return;
            BigInteger high = BigInteger.Min((BigInteger)c.Candidates * c.Beta, ((BigInteger)2 * c.Rows * c.Beta) - c.Rows);
            BigInteger low = ((BigInteger)2 * c.Rows * c.Beta) - high, unit = (BigInteger)c.Beta * (c.Layers - 1);
            int[] budgets = m.PyramidExact(c.Rows, c.Candidates, c.Beta, c.Layers);
            IsByLargestRemainder(budgets, [.. Enumerable.Range(0, c.Layers).Select(l => (high * (c.Layers - 1)) - (l * (high - low)))], unit);
        });

    public static EvictionLaw<LayersCase> Stateless { get; } = new(
        "P38", "A_second_prompt_gets_its_own_schedule", "b(T), b(T'), b(T) again: the first and the last are equal", "eviction.md 2.3: AdaKV's pyram_init reuses the first prompt's clamp", "the function again", (m, c) =>
        {
            int[] first = m.PyramidExact(c.Rows, c.Candidates, c.Beta, c.Layers);
            m.PyramidExact(c.Rows, (c.Candidates / 3) + c.Rows, c.Beta, c.Layers);
            Near.Same("again", first, m.PyramidExact(c.Rows, c.Candidates, c.Beta, c.Layers));
        });

    public static EvictionLaw<OneCase> PyramidTable { get; } = new(
        "P36", "The_published_pyramid_drifts_as_published", "min, max, step and Σ b_l for six capacities", "eviction.md 2.3, table; AdaKV efe4e2e, KVCache-Factory c97f9d7", "recorded numbers", (m, _) =>
        {
            foreach ((int capacity, int window, int first, int last, int sum) in ((int, int, int, int, int)[])[
                (128, 32, 188, 33, 3536), (256, 32, 437, 34, 7536), (512, 32, 936, 37, 15568), (1024, 32, 1935, 75, 32160),
                (2048, 32, 3932, 119, 64816), (128, 8, 234, 17, 4016)])
            {
                int[] budgets = m.PyramidCompat(capacity - window, 8000 - window, 20, 32);
                Near.Same($"first, last and sum at {capacity}", [first, last, sum], [budgets[0], budgets[^1], budgets.Sum()]);
            }

            // Short prompts clamp: high = n, low = 2 rows − n; an inverted schedule rises.
            Near.Same("clamped", [60, 54, 48, 42, 36], m.PyramidCompat(48, 60, 20, 5));
            Near.Same("inverted", [20, 25, 30], m.PyramidCompat(25, 20, 20, 3));
            Near.Same("inverted, floor division", [20, 24, 28, 32], m.PyramidCompat(25, 20, 20, 4));
        });

    public static EvictionLaw<OneCase> Issue22 { get; } = new(
        "P47", "The_pyramid_that_keeps_4016_rows_for_3840", "Σ PyramidCompat = 4016, Σ PyramidExact = 3840 = 32 · 120", "KVCache-Factory issue #22", "recorded numbers", (m, _) => Near.Same(
            "sums", [4016, 3840], [m.PyramidCompat(120, 7992, 20, 32).Sum(), m.PyramidExact(120, 7992, 20, 32).Sum()]));

    public static EvictionLaw<OneCase> DoubleTrap { get; } = new(
        "P44", "Keep_counts_in_doubles_lose_a_row_where_published", "int(T (1 − ρ)) in doubles against ⌊T (1 − ρ)⌋; 51 of 396 pairs differ", "eviction.md 2.7; kvpress PR #264", "recorded numbers", (m, _) =>
        {
            foreach ((int length, int percent, int exact, int published) in ((int, int, int, int)[])[
                (100, 90, 10, 9), (24, 30, 16, 16), (1000, 70, 300, 300), (50, 98, 1, 1), (24, 98, 0, 0), (10, 0, 10, 10), (10, 100, 0, 0)])
            {
                Near.Same($"{length} at {percent} %", [exact, published], [m.KeepCount(length, new(percent, 100)), m.KeepCountCompat(length, percent / 100.0)]);
            }
        });

    public static EvictionLaw<ShareCase> KeepsTheRest { get; } = new(
        "P44b", "Rows_kept_and_rows_removed_are_all_rows", "T − KeepCount(T, ρ) = ⌈ρ T⌉", "eviction.md 2.7", "integers", (m, c) =>
        {
            long removed = (((long)c.Rows * c.Part) + c.Parts - 1) / c.Parts;
            Near.Same("kept", [(int)(c.Rows - removed)], [m.KeepCount(c.Rows, c.Share)]);
        });

    public static EvictionLaw<ShareCase> HalfEven { get; } = new(
        "P45", "Shares_round_halves_to_the_even_row", "|round(ρ n) − ρ n| ≤ 1/2, = 1/2 only for even results", "eviction.md 3; design, what a budget means", "integers", (m, c) =>
        {
            long rows = m.BudgetRows(c.Share, c.Rows);
            long twice = 2 * Math.Abs(((long)c.Rows * c.Share.Numerator) - (rows * c.Share.Denominator));
            Expect.True(rows % 2 == 0 ? twice <= c.Share.Denominator : twice < c.Share.Denominator, $"{rows} rows for {c.Rows} · {c.Share}");
        });

    public static EvictionLaw<OneCase> AdaRounding { get; } = new(
        "P45b", "Adas_published_budgets_round_halves_to_even_and_truncate_the_floor", "round(f (1 − r) + ⌊base r⌋), halves to even, at most n", "AdaKV efe4e2e, AdaptiveSnapKVCluster", "recorded numbers", (m, _) =>
        {
            foreach ((int f, int layer, double r, int most, int rows) in ((int, int, double, int, int)[])[
                (5, 10, 0.5, 100, 8), (3, 10, 0.5, 100, 6), (4, 11, 0.5, 100, 7), (10, 9, 0.2, 100, 9), (5, 10, 0.5, 7, 7), (7, 96, 0, 100, 7), (7, 96, 1, 100, 96)])
            {
                Near.Same($"f = {f}, base = {layer}, r = {r}", [rows], [m.AdaBudgetCompat(f, layer, r, most)]);
            }
        });

    public static EvictionLaw<SplitCase> PrefixTotal { get; } = new(
        "X4", "PrefixKVs_split_meets_its_total_grows_and_has_the_largest_least_share", "max over Σ k_l = B of min_l P_l(k_l); k_l(B) ≤ k_l(B + 1)", "PrefixKV (arXiv:2412.03409)", "all splits", (m, c) =>
        {
            long[][] weights = c.RowWeights();
            int least = c.Capacities.Sum(n => Math.Min(n, c.Least));
            int[] before = new int[c.Capacities.Length];
            for (int total = 0; total <= c.Rows + 1; total++)
            {
                int[] split = m.PrefixSplit(weights, total, c.Least);
                Expect.True(split.Sum() == Math.Min(total, c.Rows), $"expected {Math.Min(total, c.Rows)} rows in all, got {split.Sum()}");
                Expect.True(split.Zip(before).All(p => p.First >= p.Second), $"a layer has fewer rows of {total} than of {total - 1}");
                Expect.True(split.Zip(c.Capacities).All(p => p.First <= p.Second), $"a layer has more rows of {total} than there are");
                before = split;
                if (total < least || total > c.Rows) continue;
                double best = LayerSplits.BestLeastShare(weights, total, c.Least);
                Near.Equal($"the least share at {total}", best, LayerSplits.LeastShare(weights, split), m.Gamma(4));
            }
        }) { OneIn = 2 };

    public static EvictionLaw<SplitCase> Proportional { get; } = new(
        "X5", "A_proportional_split_meets_its_total_within_a_row_of_its_ideal", "Σ b_i = min(B, Σ n_i), |b_i − min(n_i, λ w_i)| < 1; scaling w changes nothing", "LU-KV (arXiv:2602.08585); HeadKV; quota rule", "rationals", (m, c) =>
        {
            long[] weights = c.Weights();
            for (int total = 0; total <= c.Rows + 1; total++)
            {
                int[] split = m.ProportionalSplit(weights, c.Capacities, total);
                Expect.True(split.Sum() == Math.Min(total, c.Rows), $"expected {Math.Min(total, c.Rows)} rows in all, got {split.Sum()}");
                Near.Same("scaled", split, m.ProportionalSplit([.. weights.Select(w => 1000 * w)], c.Capacities, total));
                if (total >= c.Rows) continue;
                (BigInteger[] ideal, BigInteger unit) = LayerSplits.IdealShares(weights, c.Capacities, total);
                IsByLargestRemainder(split, ideal, unit);
            }
        });

    /// <summary>Every law here.</summary>
    public static IEnumerable<EvictionLaw> All =>
        [PyramidTable, PyramidFalls, PyramidIdeal, Stateless, DoubleTrap, KeepsTheRest, HalfEven, AdaRounding, Issue22, PrefixTotal, Proportional];

    /// <summary>Every entry is less than a row from its ideal, <c>ideals / unit</c>; larger remainders are rounded up first, then lower numbers.</summary>
    internal static void IsByLargestRemainder(int[] rows, BigInteger[] ideals, BigInteger unit)
    {
        for (int i = 0; i < rows.Length; i++)
        {
            Expect.True(BigInteger.Abs((rows[i] * unit) - ideals[i]) < unit, $"entry {i}: {rows[i]} rows for {ideals[i]}/{unit}");
            for (int j = 0; j < rows.Length; j++)
            {
                bool up = rows[i] > ideals[i] / unit, down = rows[j] == ideals[j] / unit;
                (BigInteger mine, BigInteger other) = (ideals[i] % unit, ideals[j] % unit);
                Expect.True(!up || !down || i == j || mine > other || (mine == other && i < j), $"entry {i} before {j}: remainders {mine} and {other} of {unit}");
            }
        }
    }
}
