using KvIL.Conformance.Generators;
using KvIL.Eviction;

namespace KvIL.Conformance.Theorems;

/// <summary>Which rows stay: of one run, and of a layer under a total.</summary>
internal static class SelectionLaws
{
    public static EvictionLaw<RunCase> Best { get; } = new(
        "P22", "No_dropped_row_comes_before_a_kept_one", "(score, −position) of every kept candidate > that of every dropped one, NaN as −∞, −0 as +0",
        "eviction.md 2.6: score descending, position ascending", "comparison of all pairs", (m, c) =>
        {
            float[] scores = c.Scores();
            int[] rows = Select(m, c);
            static double Rank(float s) => float.IsNaN(s) ? double.NegativeInfinity : s;
            foreach (int dropped in Enumerable.Range(c.Sinks, c.Candidates).Except(rows))
            {
                foreach (int kept in rows.Where(j => j >= c.Sinks && j < c.Sinks + c.Candidates))
                {
                    (double better, double worse) = (Rank(scores[kept]), Rank(scores[dropped]));
                    Expect.True(better > worse || (better == worse && kept < dropped), $"keeps row {kept} of score {better:R} and drops {dropped} of {worse:R}");
                }
            }
        });

    public static EvictionLaw<RunCase> Window { get; } = new(
        "P23", "Sinks_and_window_are_kept_whole", "[0, s) ∪ [T − w, T) ⊆ rows, each once; sinks + candidates + window = T", "eviction.md 2.4; kvpress #226: a sentinel's tie evicted the window",
        "ranges", (m, c) =>
        {
            int[] rows = Select(m, c);
            Near.Same("sinks", [.. Enumerable.Range(0, c.Sinks)], [.. rows.Where(j => j < c.Sinks)]);
            Near.Same("window", [.. Enumerable.Range(c.Length - c.Window, c.Window)], [.. rows.Where(j => j >= c.Length - c.Window)]);
            for (int length = 0; length <= c.Length; length++)
            {
                (int sinks, int candidates, int window) = m.Protect(length, c.Sinks, c.Window);
                Expect.True(sinks + candidates + window == length && candidates >= 0, $"{sinks} + {candidates} + {window} rows of {length}");
                Expect.True(window == Math.Min(length, c.Window), $"a window of {window} of {length} rows, expected at most {c.Window}");
                Expect.True(sinks == Math.Min(length - window, c.Sinks), $"{sinks} sinks of {length} rows beside a window of {window}");
            }
        });

    public static EvictionLaw<RunCase> Ascending { get; } = new(
        "P24", "Kept_rows_ascend_without_duplicates_and_are_as_many_as_asked", "rows strictly ascending in [0, T), |rows| = s + keep + w", "eviction.md 2.2; related.md 10, law 5",
        "order and count", (m, c) =>
        {
            int[] rows = Select(m, c);
            Near.Same("rows", [.. rows.Distinct().Order()], rows);
            Expect.True(rows.Length == c.Sinks + c.Keep + c.Window, $"expected {c.Sinks + c.Keep + c.Window} rows, got {rows.Length}");
            Expect.True(rows.All(j => j >= 0 && j < c.Length), $"a row lies outside of the run");
        });

    public static EvictionLaw<RunCase> Everything { get; } = new(
        "P25", "A_budget_of_all_and_a_run_inside_its_window_keep_everything", "keep ≥ n or T ≤ w ⇒ rows = [0, T)", "eviction.md 2.4: if T ≤ w keep all, before scoring", "all rows", (m, c) =>
        {
            Near.Same("all rows", [.. Enumerable.Range(0, c.Length)], m.SelectRows(c.Scores(), c.Sinks, c.Candidates, c.Candidates));
            (int sinks, int candidates, _) = m.Protect(Math.Min(c.Length, c.Window), c.Sinks, c.Window);
            Expect.True(sinks == 0 && candidates == 0, $"{sinks} sinks and {candidates} candidates beside a window that covers the run");
        });

    public static EvictionLaw<RunCase> Idempotent { get; } = new(
        "P26", "Selecting_again_from_what_was_kept_changes_nothing", "select(S[rows], keep) = all of them", "eviction.md 5: raw scores carried along", "the function on its result", (m, c) =>
        {
            float[] scores = c.Scores();
            float[] kept = [.. Select(m, c).Select(j => scores[j])];
            Near.Same("again", [.. Enumerable.Range(0, kept.Length)], m.SelectRows(kept, c.Sinks, c.Keep, c.Keep));
        });

    public static EvictionLaw<RunCase> Nested { get; } = new(
        "P16b", "Larger_selections_contain_smaller_ones", "keep ≤ keep' ⇒ rows ⊆ rows'", "eviction.md 2.6: one total order; related.md 10, law 12", "the function at keep + 1", (m, c) =>
        {
            if (c.Keep == c.Candidates) return;
            int[] lost = [.. Select(m, c).Except(Select(m, c with { Keep = c.Keep + 1 }))];
            Expect.True(lost.Length == 0, $"row {lost.FirstOrDefault()} is kept of {c.Keep} and not of {c.Keep + 1}");
        });

    public static EvictionLaw<RunCase> Follows { get; } = new(
        "P17b", "Rows_are_followed_wherever_they_move_when_no_scores_tie", "rows(π S) = π rows(S) for permutations of the candidates", "eviction.md 5: equivariance without pooling",
        "the function at permuted rows", (m, c) =>
        {
            float[] scores = c.Scores(ValueKind.Normal);
            int[] order = [.. Enumerable.Range(0, c.Length)];
            new Random(c.Seed).Shuffle(order.AsSpan(c.Sinks, c.Candidates));
            int[] before = m.SelectRows(scores, c.Sinks, c.Candidates, c.Keep);
            int[] after = m.SelectRows([.. order.Select(j => scores[j])], c.Sinks, c.Candidates, c.Keep);
            Near.Same("rows", before, [.. after.Select(j => order[j]).Order()]);
        });

    public static EvictionLaw<RunCase> Repeats { get; } = new(
        "P27b", "Selection_repeats_on_all_threads_and_writes_to_nothing", "rows(S) = rows(S)", "related.md 10, law 10; design: results do not depend on threads", "the function again, on two threads", (m, c) =>
        {
            float[] scores = c.Scores();
            int[] once = m.SelectRows(scores, c.Sinks, c.Candidates, c.Keep);
            int[][] again = new int[2][];
            Parallel.For(0, 2, i => again[i] = m.SelectRows(scores, c.Sinks, c.Candidates, c.Keep));
            Near.Same("again", [once, once], again);
            Expect.Same<float>("scores", c.Scores(), scores, (a, b) => a.Equals(b));
        });

    public static EvictionLaw<HeadsCase> Budget { get; } = new(
        "R3", "A_layer_keeps_exactly_its_total", "Σ_h |rows_h| = total for every total from the protected rows up", "related.md 10, law 3", "the total", (m, c) => ForEach(m, c, (sinks, window, total, evict) =>
        {
            int[][] rows = evict(c.Scores());
            int held = rows.Sum(r => r.Length);
            Expect.True(held == Math.Min(total, c.Rows), $"sinks {sinks}, window {window}: expected {Math.Min(total, c.Rows)} rows, got {held}");
        }));

    public static EvictionLaw<HeadsCase> Protection { get; } = new(
        "R4", "Protected_rows_stay_whatever_their_score_and_their_score_matters_to_nobody", "S_j = anything for protected j: the same rows, all protected ones among them",
        "related.md 10, law 4; kvpress #226 (sentinels)", "the function at other protected scores", (m, c) => ForEach(m, c, (sinks, window, _, evict) =>
        {
            float[][] scores = c.Scores();
            int[][] rows = evict(scores);
            Random random = new(c.Seed);
            for (int h = 0; h < c.Heads; h++)
            {
                for (int j = 0; j < scores[h].Length; j++)
                {
                    if (j >= sinks && j < scores[h].Length - window) continue;
                    Expect.True(rows[h].Contains(j), $"sinks {sinks}, window {window}: head {h} drops the protected row {j}");
                    scores[h][j] = random.Of(float.NaN, float.NegativeInfinity, float.PositiveInfinity, 0);
                }
            }

            Near.Same($"sinks {sinks}, window {window}", rows, evict(scores));
        }));

    public static EvictionLaw<HeadsCase> Identity { get; } = new(
        "R1", "A_full_budget_keeps_every_row_in_place", "total ≥ Σ T_h ⇒ rows_h = [0, T_h)", "related.md 10, law 1", "all rows", (m, c) => ForEach(m, c, (sinks, window, total, evict) =>
        {
            if (total >= c.Rows) Near.Same($"sinks {sinks}, window {window}", [.. c.Candidates.Select(n => Enumerable.Range(0, n).ToArray())], evict(c.Scores()));
        }));

    public static EvictionLaw<HeadsCase> Order { get; } = new(
        "R5", "Positions_of_every_head_ascend", "rows_h strictly ascending", "related.md 10, law 5", "order", (m, c) => ForEach(m, c, (_, _, _, evict) =>
        {
            foreach (int[] rows in evict(c.Scores())) Near.Same("rows", [.. rows.Distinct().Order()], rows);
        }));

    /// <summary>Every law here.</summary>
    public static IEnumerable<EvictionLaw> All =>
        [Best, Window, Ascending, Everything, Idempotent, Nested, Follows, Repeats, Budget, Protection, Identity, Order];

    private static int[] Select(EvictionMath m, RunCase c) => m.SelectRows(c.Scores(), c.Sinks, c.Candidates, c.Keep);

    // The four rules and the subject's own allocator, with some sinks and windows, at totals from the protected rows up.
    private static void ForEach(EvictionMath m, HeadsCase c, Action<int, int, int, Func<float[][], int[][]>> holds)
    {
        foreach ((int sinks, int window) in ((int, int)[])[(0, 0), (1, 2), (c.Seed % 4, c.Seed / 4 % 5)])
        {
            int least = c.Candidates.Sum(n => Math.Min(n, sinks + window));
            foreach (int total in (int[])[least, least + ((c.Rows - least) / 2), c.Rows, c.Rows + 2])
            {
                foreach (HeadAllocation? rule in (HeadAllocation?[])[null, HeadAllocation.Uniform, HeadAllocation.Pure, HeadAllocation.Blend, HeadAllocation.Floor])
                {
                    holds(sinks, window, total, scores => m.Evict(scores, total, sinks, window, rule, c.Share));
                }
            }
        }
    }
}
