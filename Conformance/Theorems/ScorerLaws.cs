using KvIL.Conformance.Generators;
using KvIL.Conformance.Theory;
using KvIL.Eviction;

namespace KvIL.Conformance.Theorems;

/// <summary>What every scorer must satisfy, whatever it ranks by.</summary>
internal static class ScorerLaws
{
    public static EvictionLaw<ScorerCase> Repeats { get; } = new(
        "S1", "A_scorer_repeats_on_all_threads_and_writes_to_scores_alone", "S(x) = S(x)", "related.md 10, law 10; P27", "the scorer again, on two threads", (m, c) =>
        {
            float[][] once = Scores(m, c);
            float[][][] again = new float[2][][];
            Parallel.For(0, 2, i => again[i] = Scores(m, c));
            foreach (float[][] scores in again) Same("again", once, scores);
        });

    public static EvictionLaw<ScorerCase> Follows { get; } = new(
        "S2", "Scores_follow_their_heads", "S(π x) = π S(x)", "eviction.md 5, P17", "the scorer at permuted heads", (m, c) =>
        {
            int[] order = [.. Enumerable.Range(0, c.KvHeads)];
            new Random(c.Seed).Shuffle(order);
            float[][] before = Scores(m, c), after = Scores(m, c, order);
            Same("permuted", [.. order.Select(h => before[h])], after);
        }) { Needs = PolicyClaims.ScoresFollowHeads };

    public static EvictionLaw<ScorerCase> Kept { get; } = new(
        "S3", "A_scorers_rows_are_exact_protected_ascending_and_nested", "Σ |rows| = total; protected rows stay; rows ascend; total ≤ total' ⇒ rows ⊆ rows' for equal shares; all at a full budget",
        "related.md 10, laws 1, 3, 4, 5, 12", "counts and ranges", (m, c) =>
        {
            float[][] scores = Scores(m, c);
            int least = c.KvHeads * Math.Min(c.Length, c.Sinks + c.Window);
            int[][]? before = null;
            for (int total = least; total <= c.KvHeads * c.Length; total += c.KvHeads)
            {
                int[][] own = m.Evict(scores, total, c.Sinks, c.Window, null, default);
                int[][] equal = m.Evict(scores, total, c.Sinks, c.Window, HeadAllocation.Uniform, default);
                foreach (int[][] rows in (int[][][])[own, equal])
                {
                    Expect.True(rows.Sum(r => r.Length) == total, $"expected {total} rows, got {rows.Sum(r => r.Length)}");
                    foreach (int[] head in rows)
                    {
                        Near.Same("ascending", [.. head.Distinct().Order()], head);
                        bool stays = Enumerable.Range(0, c.Length).Where(j => j < c.Sinks || j >= c.Length - c.Window).All(head.Contains);
                        Expect.True(stays, $"a protected row is dropped of [{string.Join(' ', head)}]");
                    }
                }

                Expect.True(before is null || before.Zip(equal).All(p => !p.First.Except(p.Second).Any()), $"a row kept of {total - c.KvHeads} is not kept of {total}");
                before = equal;
            }

            if (before is not null) Near.Same("all", [.. scores.Select(row => Enumerable.Range(0, row.Length).ToArray())], before);
        });

    public static EvictionLaw<ScorerCase> Ranks { get; } = new(
        "S4", "A_scorers_NaN_ranks_last", "rows(S) = rows(S with NaN → −∞)", "eviction.md 2.6", "the rows at the numbers", (m, c) =>
        {
            float[][] scores = Scores(m, c), numbers = [.. scores.Select(row => row.Select(x => float.IsNaN(x) ? float.NegativeInfinity : x).ToArray())];
            int total = c.KvHeads * Math.Min(c.Length, c.Sinks + c.Window + (c.Length / 3));
            Near.Same("rows", m.Evict(numbers, total, c.Sinks, c.Window, null, default), m.Evict(scores, total, c.Sinks, c.Window, null, default));
        });

    public static EvictionLaw<ScorerCase> Masked { get; } = new(
        "S5", "Attention_over_a_scorers_rows_is_attention_with_the_others_masked", "o(S') = softmax(logits + ln I) V", "related.md 10, law 2", "masked logits", (m, c) =>
        {
            c = c with { Special = false };
            int total = c.KvHeads * Math.Min(c.Length, c.Sinks + c.Window + 1 + (c.Length / 3));
            int[][] kept = m.Evict(Scores(m, c), total, c.Sinks, c.Window, null, default);
            double[][] Rows(int tensor, int head) => [.. c.Rows(tensor, head, c.Length).Chunk(ScorerCase.HeadDim).Select(row => row.Select(x => (double)x).ToArray())];
            int[] heads = [.. Enumerable.Range(0, c.KvHeads)], positions = [.. Enumerable.Range(0, c.Length)];
            HeadRows store = new([.. heads.Select(h => Rows(1, h))], [.. heads.Select(h => Rows(2, h))], [.. heads.Select(_ => positions)]);
            double[][] queries = [.. heads.Select(h => Rows(3, h)[^1])];
            double[][] o = m.Attend(queries, m.Compact(store, kept));
            foreach (int h in heads)
            {
                if (kept[h].Length == 0) continue;
                double[] a = Theory.WindowScores.Softmax([.. store.Keys[h].Select((k, r) => kept[h].Contains(r) ? Arrays.Dot(queries[h], k) / 2 : double.NegativeInfinity)]);
                double largest = store.Values[h].SelectMany(v => v).Max(Math.Abs);
                for (int e = 0; e < ScorerCase.HeadDim; e++)
                {
                    Near.Equal($"o[{h}, {e}]", store.Values[h].Select((v, r) => a[r] * v[e]).Sum(), o[h][e], m.Gamma(4 * (c.Length + 50)) * (1 + largest));
                }
            }
        });

    /// <summary>Every law here.</summary>
    public static IEnumerable<EvictionLaw> All => [Repeats, Follows, Kept, Ranks, Masked];

    private static float[][] Scores(EvictionMath m, ScorerCase c, int[]? order = null)
    {
        LayerView view = new(c, m, order ?? [.. Enumerable.Range(0, c.KvHeads)]);
        m.Scorer.Score(view);
        return view.Written;
    }

    private static void Same(string what, float[][] expected, float[][] actual)
    {
        for (int h = 0; h < expected.Length; h++) Expect.Same<float>($"{what}: scores of head {h}", expected[h], actual[h], (a, b) => a.Equals(b));
    }
}
