using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Eviction.Scores;

namespace KvIL.Conformance.Oracle;

/// <summary>Definitions of scores that see a run in parts: <see cref="ChunkSelection"/>, one KV head at a time.</summary>
internal static class PartScores
{
    /// <summary>What <see cref="PiecesScore"/> or <see cref="BlocksScore"/> gives the rows of each head.</summary>
    /// <param name="rule">The rule.</param>
    /// <param name="x">The rows.</param>
    /// <param name="counts">Rows that each head keeps; empty where the rule does not read them.</param>
    public static double[][] Of(ScoreRule rule, LayerRows x, IReadOnlyList<int> counts) => [.. x.Runs.Select((run, head) =>
    {
        int length = run.Positions.Length, begin = ProtectedRows.Sinks(length, x.Sinks, x.Window), candidates = ProtectedRows.Candidates(length, x.Sinks, x.Window);
        double[] y = new double[length];
        if (rule is PiecesScore pieces)
        {
            Rank(y.AsSpan(begin, candidates), pieces.Length, rows => Part(pieces.Inner, x, begin)(head, rows));
            return y;
        }

        BlocksScore blocks = (BlocksScore)rule;
        int keep = Math.Clamp(counts[head] - (length - candidates), 0, candidates);
        foreach (int j in ChunkSelection.Blocks(head, candidates, blocks.Length, keep, Part(blocks.Inner, x, begin))) y[begin + j] = 1;
        return y;
    })];

    private static void Rank(Span<double> y, int length, Func<int[], float[]> score)
    {
        foreach (int[] piece in Enumerable.Range(0, y.Length).Chunk(length))
        {
            int[] order = [.. Allocation.Order([score(piece)]).Select(e => piece[e.Position])];
            for (int r = 0; r < order.Length; r++) y[order[r]] = -(r + 0.5) / order.Length;
        }
    }

    // The other heads are empty, so that only the rows asked for are seen.
    private static ChunkSelection.Scorer Part(ScoreRule inner, LayerRows x, int begin) => (head, rows) =>
    {
        LayerRows part = x with { Runs = [.. x.Runs.Select((run, h) => Rows(run, h == head ? [.. rows.Select(j => j + begin)] : []))], Sinks = 0, Window = 0 };
        return [.. RowScoreOps.Scores(inner, part)[head].Select(s => (float)s)];
    };

    private static LayerRows.Head Rows(LayerRows.Head run, int[] rows)
    {
        int d = run.Keys.GetLength(2);
        return new(
            LayerRows.Rows(rows.Length, d, (j, c) => run.Keys[0, rows[j], c]), LayerRows.Rows(rows.Length, d, (j, c) => run.Values[0, rows[j], c]),
            [.. rows.Select(j => run.Positions[j])]);
    }
}
