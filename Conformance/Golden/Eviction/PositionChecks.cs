using KvIL.Conformance.Theory;
using KvIL.Conformance.Theory.Scores;
using KvIL.Eviction;

namespace KvIL.Conformance.Golden.Eviction;

/// <summary>Selections that are not the best rows of a head: kind <c>positions</c>, by the method's name.</summary>
internal static class PositionChecks
{
    // KVCache-Factory's L2Norm leaves the first two layers alone.
    private const int LayersL2NormSkips = 2;

    /// <summary>The kept rows of every head; false where KvIL has no such selection.</summary>
    public static bool Positions(GoldenCase c, EvictionRules rules)
    {
        if (c.Kind != "positions" || Selection(c, rules) is not { } select) return false;
        int[][] kept = RowChecks.Kept(c) ?? throw c.Fault("has a head without kept rows");
        int[][] rows = [.. kept.Select((_, h) => select(h))];
        for (int h = 0; h < kept.Length; h++) Compare.Equal($"kept[{h}]", kept[h], rows[h]);
        Compare.Equal("retained_len", RowChecks.Heads<int>(c, "retained_len", kept.Length), rows.Select(r => r.Length));
        if (c.Expects("compressed")) Compare.Equal("compressed", c.Expected<bool>("compressed"), rows.Any(r => r.Length < c.Count("seq_len")));
        return true;
    }

    private static Func<int, int[]>? Selection(GoldenCase c, EvictionRules rules)
    {
        int length = c.Count("seq_len", 1);
        (string? wrapper, string name) = GoldenScores.Names(c.Method);
        if (wrapper is not null) return Wrapped(c, rules, wrapper, name, length);
        switch (name)
        {
            case "L2Norm":
                float[][] norms = Floats(new Knorm().Of(GoldenScores.Inputs(c)));
                int keep = c.Count("layer_idx") < LayersL2NormSkips ? length : Math.Min(c.Count("capacity"), length);
                int group = Math.Max(1, RowChecks.Kept(c)!.Length / norms.Length); // without groups keys are repeated
                return h => rules.Rows(norms[h / group], 0, length, keep);
            case "StreamingLLM":
                return _ => FirstAndLast(c.Count("sinks", 0, c.Count("capacity")), c.Count("capacity"));
            case "StreamingLLMKV":
                return _ => FirstAndLast(c.Count("capacity") - GoldenScores.Window(c), c.Count("capacity"));
            default:
                // A score-based method is recorded here only where it keeps everything.
                bool all = RowChecks.LayerRows(c) > length - GoldenScores.Window(c);
                return all && GoldenScores.Definition(c, name) is not null ? _ => All(length) : null;
        }

        int[] FirstAndLast(int first, int capacity) =>
            length <= capacity ? All(length) : rules.Rows(new float[length], first, length - capacity, 0);
    }

    private static Func<int, int[]>? Wrapped(GoldenCase c, EvictionRules rules, string wrapper, string name, int length)
    {
        if (GoldenScores.Definition(c, name) is not { } score) return null;
        double ratio = c.Share("compression_ratio");
        int Kept(int rows) => LayerBudgets.KeepCountCompat(rows, ratio);
        switch (wrapper)
        {
            case "ChunkKV":
                float[][] scores = Floats(score.Of(GoldenScores.Inputs(c)));
                int chunk = c.Count("chunk_length", 1);
                if (score.Candidates(length).Count < length) return null;
                if (length < chunk) return h => rules.Rows(scores[h], 0, length, Kept(length)); // no whole chunk: rows
                int keep = Math.Max(1, Kept((length + chunk - 1) / chunk));
                return _ => ChunkSelection.WholeChunks(scores, chunk, keep);
            case "Chunk":
                return OfRows(score) is not { } each ? null
                    : h => ChunkSelection.BestOfEach(h, length, c.Count("chunk_length", 1), n => Math.Max(1, Kept(n)), each);
            case "Block":
                return OfRows(score) is not { } blocks ? null
                    : h => ChunkSelection.Blocks(h, length, c.Count("block_size", 1), Kept(length), blocks);
            case "LU-KV":
                float[][] recorded = c.Tensor("scores", c.Tensor("scores", 2).Shape[0], length).Rows();
                int[] budgets = Compat.LuKvBudgets(length, Ratios(c));
                return h => Guarded(recorded[h], c.Count("sink", 0, length), c.Count("window", 0, length), budgets[h], rules);
            default:
                return null;
        }

        ChunkSelection.Scorer? OfRows(IScore s)
        {
            ScoreInputs all = GoldenScores.Inputs(c);
            return (s.Needs & ~(ScoreNeeds.Keys | ScoreNeeds.Values)) != 0 ? null
                : ChunkSelection.Of(s, all.Keys, s.Needs.HasFlag(ScoreNeeds.Values) ? all.Values : null);
        }
    }

    private static float[] Ratios(GoldenCase c)
    {
        float[] ratios = c.Param<float[]>("head_prune_ratios");
        return ratios.Length == RowChecks.Kept(c)!.Length ? ratios : throw c.Fault("has 'head_prune_ratios' for another number of heads");
    }

    // LU-KV gives sinks and the last rows the largest score; a head that may keep fewer keeps the first of them.
    private static int[] Guarded(float[] scores, int sinks, int window, int keep, EvictionRules rules) =>
        rules.Rows([.. scores.Select((s, j) => j < sinks || j >= scores.Length - window ? float.MaxValue : s)], 0, scores.Length, keep);

    private static int[] All(int length) => [.. Enumerable.Range(0, length)];

    private static float[][] Floats(double[,] s) =>
        [.. Enumerable.Range(0, s.GetLength(0)).Select(g => Arrays.Row(s, g).Select(x => (float)x).ToArray())];
}
