using KvIL.Conformance.Theory.Scores;
using KvIL.Eviction;

namespace KvIL.Conformance.Golden.Eviction;

/// <summary>Selections over all heads of a layer at once: <c>mask-ada</c>, <c>mask-critical</c> and <c>global</c>.</summary>
internal static class MaskChecks
{
    /// <summary>kvpress's AdaKV: the best n_safe rows of every head, then the globally best; sentinels compete like scores.</summary>
    public static bool Ada(GoldenCase c, EvictionRules rules)
    {
        if (c.Kind != "mask-ada" || (c.Expects("ambiguous") && c.Expected<bool>("ambiguous"))) return false;
        float[][] scores = c.Tensor("scores", 2).Rows();
        int[] counts = Budgets(c, scores, rules);
        Compare.Equal("kept", RowChecks.Kept(c)!.SelectMany(r => r), counts.SelectMany((keep, h) => rules.Rows(scores[h], 0, scores[h].Length, keep)));
        return true;
    }

    /// <summary>kvpress's CriticalAdaKV: those budgets, half of each by the score alone, the rest by score times norm.</summary>
    public static bool Critical(GoldenCase c, EvictionRules rules)
    {
        if (c.Kind != "mask-critical") return false;
        float[][] scores = c.Tensor("scores", 2).Rows();
        double[,] norms = c.Tensor("wo_norm", scores.Length, scores[0].Length).Matrix();
        int[] counts = Budgets(c, scores, rules);
        int safe = c.Expected<int>("n_safe");
        (double half, double epsilon) = (c.Share("first_stage_ratio"), c.Param("epsilon", 1e-4));
        for (int h = 0; h < scores.Length; h++)
        {
            float[] second = [.. scores[h].Select((s, j) => (float)((s + epsilon) * norms[h, j]))];
            int first = Math.Max(safe, (int)(counts[h] * half)); // a protected row wins the first stage
            int[] rows = CriticalKv.Rows(scores[h], second, counts[h], Math.Min(first, counts[h]));
            Compare.Equal($"kept[{h}]", RowChecks.Kept(c)![h], rows);
        }

        return true;
    }

    /// <summary>The fork's real removal: the best rows of all heads, promised ones having the largest score there is.</summary>
    public static bool Global(GoldenCase c, EvictionRules rules)
    {
        if (c.Kind != "global") return false;
        float[][] scores = c.Tensor("scores", 2).Rows();
        int total = c.Count("n_kept_total", 0, scores.Length * scores[0].Length);
        Compare.Equal("n_kept_total", total, LayerBudgets.KeepTotalCompat(c.Count("seq_len"), c.Share("compression_ratio"), scores.Length));
        int[] counts = rules.Counts(scores, total, HeadAllocation.Pure, default);
        Compare.Equal("retained_len", RowChecks.Heads<int>(c, "retained_len", scores.Length), counts);
        Compare.Equal("kept", RowChecks.Kept(c)!.SelectMany(r => r), counts.SelectMany((keep, h) => rules.Rows(scores[h], 0, scores[h].Length, keep)));
        RowChecks.Layout(c, counts);
        if (c.HasParam("n_safe"))
        {
            (int length, double ratio) = (c.Count("seq_len"), c.Share("compression_ratio"));
            Compare.Equal("n_safe", c.Count("n_safe"), LayerBudgets.SafeCountCompat(length, ratio, c.Share("floor_alpha")));
        }

        return true;
    }

    private static int[] Budgets(GoldenCase c, float[][] scores, EvictionRules rules)
    {
        (int length, double ratio) = (scores[0].Length, c.Share("compression_ratio"));
        int kept = LayerBudgets.KeepCountCompat(length, ratio);
        int safe = (int)(kept * c.Share("alpha_safeguard"));
        Compare.Equal("n_kept_per_head", c.Expected<int>("n_kept_per_head"), kept);
        Compare.Equal("n_safe", c.Expected<int>("n_safe"), safe);
        Compare.Equal("n_pruned_total", c.Expected<int>("n_pruned_total"), scores.Length * (length - kept));
        if (kept == 0) return new int[scores.Length];
        int[] counts = rules.Counts(scores, (long)scores.Length * kept, HeadAllocation.Floor, new Ratio(safe, kept));
        Compare.Equal("retained_len", RowChecks.Heads<int>(c, "retained_len", scores.Length), counts);
        return counts;
    }
}
