using KvIL.Conformance.Theory.Scores;

namespace KvIL.Conformance.Theory;

/// <summary>Selections that see a run in pieces, by definition. Scores as in <see cref="Allocation"/>; rows come back ascending.</summary>
public static class ChunkSelection
{
    /// <summary>Scores of rows <c>rows</c> of head <c>head</c>, as a score gives them when it sees those rows alone.</summary>
    public delegate float[] Scorer(int head, int[] rows);

    /// <summary>Whole chunks, the same for all heads of a layer.</summary>
    /// <remarks>
    /// ChunkKV (arXiv:2502.00299), Algorithm 1; kvpress, <c>ChunkKVPress</c>. A chunk's score is the mean over its rows of the sum
    /// over heads; a last chunk may be short. It keeps whole chunks, so the rows are as many as those have.
    /// </remarks>
    /// <param name="scores"><c>[heads][T]</c>.</param>
    /// <param name="chunk">Rows of a chunk.</param>
    /// <param name="keep">Chunks to keep.</param>
    public static int[] WholeChunks(float[][] scores, int chunk, int keep)
    {
        int[][] chunks = [.. Enumerable.Range(0, scores[0].Length).Chunk(chunk)];
        float[] mean = [.. chunks.Select(rows => (float)rows.Average(j => scores.Sum(s => (double)s[j])))];
        return [.. Allocation.Order([mean]).Take(keep).SelectMany(c => chunks[c.Position]).Order()];
    }

    /// <summary>The best rows of every chunk, each chunk scored for itself.</summary>
    /// <remarks>kvpress, <c>ChunkPress</c> (FINCH's chunks are like it).</remarks>
    /// <param name="head">The head.</param>
    /// <param name="length">T.</param>
    /// <param name="chunk">Rows of a chunk; the last may be short.</param>
    /// <param name="keep">Rows to keep of a chunk with that many.</param>
    /// <param name="score">The score.</param>
    public static int[] BestOfEach(int head, int length, int chunk, Func<int, int> keep, Scorer score) =>
        [.. Enumerable.Range(0, length).Chunk(chunk).SelectMany(rows => Best(score(head, rows), rows, keep(rows.Length)))];

    /// <summary>A kept set that meets one block after the other, each time scored anew with what was kept so far.</summary>
    /// <remarks>KeyDiff (arXiv:2504.15364), block-wise eviction; kvpress, <c>BlockPress</c>. It starts with the first rows.</remarks>
    /// <param name="head">The head.</param>
    /// <param name="length">T.</param>
    /// <param name="block">Rows of a block.</param>
    /// <param name="keep">Rows to keep, at most T.</param>
    /// <param name="score">The score.</param>
    public static int[] Blocks(int head, int length, int block, int keep, Scorer score)
    {
        int[] kept = [.. Enumerable.Range(0, keep)];
        foreach (int[] next in Enumerable.Range(keep, length - keep).Chunk(block))
        {
            int[] rows = [.. kept, .. next];
            kept = Best(score(head, rows), rows, keep);
        }

        return kept;
    }

    /// <summary>A score of keys and values as a <see cref="Scorer"/>.</summary>
    public static Scorer Of(IScore score, double[,,] keys, double[,,]? values) => (head, rows) => [.. Arrays.Row(
        score.Of(new ScoreInputs(Part(keys, head, rows)) { Values = Part(values ?? keys, head, rows) }), 0).Select(s => (float)s)];

    private static double[,,] Part(double[,,] x, int head, int[] rows)
    {
        double[,,] part = new double[1, rows.Length, x.GetLength(2)];
        for (int j = 0; j < rows.Length; j++)
        {
            for (int c = 0; c < x.GetLength(2); c++) part[0, j, c] = x[head, rows[j], c];
        }

        return part;
    }

    private static int[] Best(float[] scores, int[] rows, int keep) =>
        [.. Allocation.Order([scores]).Take(keep).Select(e => rows[e.Position]).Order()];
}
