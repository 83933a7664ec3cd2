using KvIL.Eviction;

namespace KvIL.Conformance.Golden.Eviction;

/// <summary>PrefixKV: rows that each layer drops, and which; one keep set a layer. Exact.</summary>
internal static class PrefixChecks
{
    /// <summary>Published counts with their drift, the kept rows, and the exact total of the rule without drift.</summary>
    public static bool Prefix(GoldenCase c, EvictionRules rules)
    {
        if (c.Kind != "prefixkv") return false;
        float[][] scores = c.Tensor("scores", 2).Rows();
        (int layers, int length) = (scores.Length, scores[0].Length);
        double ratio = c.Share("evict_ratio");
        (int sinks, int window) = (c.Count("start_size", 0, length), c.Count("protect_size", 0, length));
        PrefixKvCompat published = PrefixKvCompat.Of(scores, ratio, sinks + window);
        Compare.Equal("evict_counts_before_rescale", c.Expected<int[]>("evict_counts_before_rescale"), published.BeforeRescale);
        Compare.Equal("target_evict_total", c.Expected<double>("target_evict_total"), published.Target);
        Compare.Equal("evict_counts", c.Expected<int[]>("evict_counts"), published.Dropped);
        Compare.Equal("actual_evict_total", c.Expected<int>("actual_evict_total"), published.Dropped.Sum());
        int[][] kept = RowChecks.Kept(c) ?? throw c.Fault("has a layer without kept rows");
        if (kept.Length != layers) throw c.Fault("has kept rows for another number of layers");
        for (int l = 0; l < layers; l++)
        {
            int candidates = length - sinks - window;
            Compare.Equal($"kept[{l}]", kept[l], rules.Rows(scores[l], sinks, candidates, candidates - published.Dropped[l]));
        }

        Compare.Equal("retained_len", RowChecks.Heads<int>(c, "retained_len", layers), kept.Select(r => r.Length));
        int[] exact = new int[layers];
        PrefixBudgets.Maximin([.. scores.Select(s => PrefixBudgets.Weights(s))], (long)layers * length / 2, 1, exact);
        Compare.Equal("total of the exact rule", (long)layers * length / 2, exact.Sum(b => (long)b));
        return true;
    }
}
