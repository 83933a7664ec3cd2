using KvIL.Conformance.Theory;
using KvIL.Conformance.Theory.Scores;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>Selections that see a run in pieces.</summary>
public sealed class ChunkLaws
{
    [Fact]
    public void Chunks_of_one_row_and_one_head_are_the_best_rows() => Law.ForAll(SelectionCase.Cases, c =>
    {
        if (c.Candidates == 0) return;
        float[] scores = c.Scores();
        Assert.Equal(Allocation.Rows(scores, 0, c.Length, c.Keep), ChunkSelection.WholeChunks([scores], 1, c.Keep));
    });

    [Fact]
    public void Whole_chunks_stay_or_go_and_the_best_stay() => Law.ForAll(AllocationCase.Equal, c =>
    {
        if (c.Candidates[0] == 0) return;
        float[][] scores = (c with { Values = Values.Distinct }).Scores();
        int chunks = (c.Candidates[0] + 2) / 3;
        for (int keep = 0; keep <= chunks; keep++)
        {
            int[] rows = ChunkSelection.WholeChunks(scores, 3, keep);
            int[] kept = [.. rows.Select(j => j / 3).Distinct()];
            Assert.Equal(keep, kept.Length);
            Assert.Equal(kept.SelectMany(k => Enumerable.Range(0, c.Candidates[0]).Where(j => j / 3 == k)), rows);
            double Mean(int k) => Enumerable.Range(0, c.Candidates[0]).Where(j => j / 3 == k).Average(j => scores.Sum(s => (double)s[j]));
            double worst = kept.Select(k => (double)(float)Mean(k)).DefaultIfEmpty(double.MaxValue).Min();
            Assert.All(Enumerable.Range(0, chunks).Except(kept), k => Assert.True((float)Mean(k) <= worst));
        }
    });

    [Fact]
    public void Pieces_do_not_matter_to_scores_of_single_rows() => Law.ForAll(ScoreCase.Cases, c => BlocksAreBestRows(c, ChunkSelection.Blocks));

    [Fact]
    public void Mutant_blocks_that_forget_what_they_kept() => Law.Catches(ScoreCase.Cases, c => BlocksAreBestRows(
        c, (head, length, block, keep, score) =>
        {
            int[] last = [.. Enumerable.Range(0, length).TakeLast(Math.Max(block, keep))];
            float[] scores = score(head, last);
            return [.. Allocation.Order([scores]).Take(keep).Select(e => last[e.Position]).Order()];
        }));

    [Fact]
    public void The_best_of_each_chunk_has_its_count_in_every_chunk() => Law.ForAll(ScoreCase.Cases, c =>
    {
        ChunkSelection.Scorer score = ChunkSelection.Of(new KeyDiff(), c.Inputs().Keys, null);
        int[] rows = ChunkSelection.BestOfEach(0, c.Length, 4, n => Math.Max(1, n / 2), score);
        foreach (int[] chunk in Enumerable.Range(0, c.Length).Chunk(4))
        {
            Assert.Equal(Math.Max(1, chunk.Length / 2), rows.Intersect(chunk).Count());
        }
    });

    private static void BlocksAreBestRows(ScoreCase c, Func<int, int, int, int, ChunkSelection.Scorer, int[]> blocks)
    {
        double[,,] keys = c.Inputs().Keys;
        float[] norms = [.. Arrays.Row(new Knorm().Of(c.Inputs()), 0).Select(s => (float)s)];
        for (int keep = 1; keep <= c.Length; keep++)
        {
            Assert.Equal(
                Allocation.Rows(norms, 0, c.Length, keep),
                blocks(0, c.Length, 3, keep, ChunkSelection.Of(new Knorm(), keys, null)));
        }
    }
}
