using KvIL.Eviction;
using KvIL.Eviction.Scores;

namespace KvIL.Reference.Scores;

/// <summary><c>s[j] = −(r + 1/2)/n</c>, r the row's number in its piece by the inner score.</summary>
internal sealed class PiecesScorer(PiecesScore rule) : RuleScorer(rule)
{
    private readonly IScorer _inner = Scorers.Of(rule.Inner);

    /// <inheritdoc/>
    public override void Score(ScoreView x)
    {
        int[][] candidates = Parts.Candidates(x);
        for (int first = 0; first < candidates.Max(rows => rows.Length); first += rule.Length)
        {
            int[][] piece = [.. candidates.Select(rows => rows[Math.Min(first, rows.Length)..(int)Math.Min((long)first + rule.Length, rows.Length)])];
            float[][] scores = Parts.Score(x, _inner, piece);
            for (int h = 0; h < piece.Length; h++)
            {
                int[] order = Parts.Order(scores[h]);
                for (int r = 0; r < order.Length; r++) x.Scores(h)[piece[h][order[r]]] = -(r + 0.5f) / order.Length;
            }
        }
    }
}

/// <summary><c>s[j] = [j in K]</c>, K the rows left when all blocks have passed.</summary>
internal sealed class BlocksScorer(BlocksScore rule) : RuleScorer(rule)
{
    private readonly IScorer _inner = Scorers.Of(rule.Inner);

    /// <inheritdoc/>
    public override void Score(ScoreView x)
    {
        int[][] candidates = Parts.Candidates(x);
        int[] keep = [.. candidates.Select((rows, h) => Math.Clamp(x.Keep(h) - (x.Rows(h) - rows.Length), 0, rows.Length))];
        int[][] kept = [.. candidates.Select((rows, h) => rows[..keep[h]])];
        for (int passed = 0; candidates.Zip(keep, (rows, k) => rows.Length - k).Max() > passed; passed += rule.Length)
        {
            int[][] met = [.. candidates.Select((rows, h) => (int[])
            [
                .. kept[h], .. rows[Math.Min(keep[h] + passed, rows.Length)..(int)Math.Min((long)keep[h] + passed + rule.Length, rows.Length)],
            ])];
            float[][] scores = Parts.Score(x, _inner, met);
            kept = [.. met.Select((rows, h) => Parts.Order(scores[h]).Take(keep[h]).Order().Select(j => rows[j]).ToArray())];
        }

        for (int h = 0; h < kept.Length; h++)
        {
            foreach (int row in kept[h]) x.Scores(h)[row] = 1;
        }
    }
}

/// <summary>Rows that are scored for themselves.</summary>
internal static class Parts
{
    /// <summary>By KV head, the rows that compete.</summary>
    public static int[][] Candidates(ScoreView x) => [.. Enumerable.Range(0, x.KvHeads).Select(h => Enumerable.Range(
        ProtectedRows.Sinks(x.Rows(h), x.Sinks, x.Window), ProtectedRows.Candidates(x.Rows(h), x.Sinks, x.Window)).ToArray())];

    /// <summary>Scores of some rows of each head, which see no other rows.</summary>
    public static float[][] Score(ScoreView x, IScorer scorer, int[][] rows)
    {
        PartView part = new(x, scorer.Needs, rows);
        scorer.Score(part);
        return [.. Enumerable.Range(0, x.KvHeads).Select(h => part.Scores(h).ToArray())];
    }

    /// <summary>Numbers of the rows, the best first, ties to the lower.</summary>
    public static int[] Order(float[] scores) => [.. Enumerable.Range(0, scores.Length).OrderByDescending(j => ScoreOrder.Key(scores[j])).ThenBy(j => j)];
}
