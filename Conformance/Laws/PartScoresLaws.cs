using KvIL.Conformance.Generators;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Eviction.Scores;
using KvIL.Plans;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of scores that see a run in parts: the rows are those of <see cref="ChunkSelection"/>, by what the same backend scores each part.</summary>
public static class PartScoresLaws
{
    /// <summary>Of every piece, any number of its best rows by the score of the piece alone.</summary>
    public static Law<ScoreCase> Pieces { get; } = new("Pieces_are_ranked_by_their_own_scores", "ScoreRowsOp; kvpress, ChunkPress", (laws, c) =>
    {
        foreach (ScoreRule rule in Rules(c))
        {
            (Scenario s, Slot y) = c.Plan(new PiecesScore(rule, c.Block));
            double[] scores = laws.Subject.Run(s).Reals(y);
            ForHeads(c, (head, begin, candidates) =>
            {
                float[] own = [.. scores.AsSpan((head * c.Columns) + begin, candidates).ToArray().Select(x => (float)x)];
                Dictionary<int, float[]> parts = Enumerable.Range(0, candidates).Chunk(c.Block).ToDictionary(rows => rows[0], rows => PartOf(laws, c, rule, begin)(head, rows));
                for (int keep = 1; keep <= Math.Min(c.Block, candidates); keep++)
                {
                    int[] expected = ChunkSelection.BestOfEach(head, candidates, c.Block, n => Math.Min(keep, n), (_, rows) => parts[rows[0]]);
                    Expect.Exact(Numbers(expected), Numbers(ChunkSelection.BestOfEach(head, candidates, c.Block, n => Math.Min(keep, n), (_, rows) => [.. rows.Select(j => own[j])])));
                }

                foreach (int[] piece in Enumerable.Range(0, candidates).Chunk(c.Block))
                {
                    float[] values = [.. Enumerable.Range(0, piece.Length).Select(r => -(r + 0.5f) / piece.Length)];
                    Expect.Exact(Numbers(values), Numbers([.. piece.Select(j => own[j]).OrderDescending()]));
                }
            });
        }
    });

    /// <summary>The rows that are left when the blocks have passed.</summary>
    public static Law<ScoreCase> Blocks { get; } = new("Blocks_meet_what_was_kept_so_far", "ScoreRowsOp; kvpress, BlockPress", (laws, c) =>
    {
        foreach (ScoreRule rule in Rules(c))
        {
            int[] counts = [.. c.Lengths.Select((n, h) => (c.Store.Seed + (h * 7)) % (n + 1))];
            (Scenario s, Slot y) = c.Plan(new BlocksScore(rule, c.Block), counts: counts);
            double[] scores = laws.Subject.Run(s).Reals(y);
            ForHeads(c, (head, begin, candidates) =>
            {
                int keep = Math.Clamp(counts[head] - (c.Lengths[head] - candidates), 0, candidates);
                int[] expected = ChunkSelection.Blocks(head, candidates, c.Block, keep, PartOf(laws, c, rule, begin));
                double[] own = scores.AsSpan((head * c.Columns) + begin, candidates).ToArray();
                Expect.Exact(Numbers(expected), Numbers([.. Enumerable.Range(0, candidates).Where(j => own[j] == 1)]));
                Expect.Exact([candidates - keep], [own.Count(x => x == 0)]);
            });
        }
    });

    // Leverage is normalised over all heads, which these scores of one head do not see.
    private static IEnumerable<ScoreRule> Rules(ScoreCase c) => c.Rules.Where(rule => rule.ScoresParts && rule is not LeverageScore);

    private static void ForHeads(ScoreCase c, Action<int, int, int> check)
    {
        for (int head = 0; head < c.Store.KvHeads; head++)
        {
            int length = c.Lengths[head];
            check(head, ProtectedRows.Sinks(length, c.Sinks, c.Window), ProtectedRows.Candidates(length, c.Sinks, c.Window));
        }
    }

    // What the subject gives the rows of a store that has no others.
    private static ChunkSelection.Scorer PartOf(LawContext laws, ScoreCase c, ScoreRule rule, int begin) => (head, rows) =>
    {
        HostStore whole = c.Store.Store();
        int run = (c.Sequence * c.Store.KvHeads) + head, d = c.Store.HeadDim;
        (double[] keys, double[] values) = ([.. whole.Keys], [.. whole.Values]);
        (int[] positions, int[] lengths) = ([.. whole.Positions], [.. whole.Lengths]);
        for (int j = 0; j < rows.Length; j++)
        {
            long from = whole.Starts[run] + begin + rows[j], to = whole.Starts[run] + j;
            Array.Copy(whole.Keys, from * d, keys, to * d, d);
            Array.Copy(whole.Values, from * d, values, to * d, d);
            positions[to] = whole.Positions[from];
        }

        lengths[run] = rows.Length;
        (Scenario s, Slot y) = (c with { Sinks = 0, Window = 0 }).Plan(rule, new HostStore(whole.Store, keys, values, positions, whole.Starts, lengths, whole.Capacities));
        return [.. laws.Subject.Run(s).Reals(y).AsSpan(head * c.Columns, rows.Length).ToArray().Select(x => (float)x)];
    };

    private static double[] Numbers(int[] values) => [.. values.Select(x => (double)x)];

    private static double[] Numbers(float[] values) => [.. values.Select(x => (double)x)];
}
