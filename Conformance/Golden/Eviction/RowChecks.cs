using System.Text.Json.Serialization;
using KvIL.Eviction;

namespace KvIL.Conformance.Golden.Eviction;

/// <summary>Kept rows, head budgets and layer budgets of the kinds <c>topk</c> and <c>ada</c>; all exact.</summary>
internal static class RowChecks
{
    /// <summary>
    /// The rows kept when the official counts are fed in; on a tie, those that the set demands and the lowest of the others.
    /// </summary>
    public static bool Rows(GoldenCase c, EvictionRules rules)
    {
        if (c.Kind is not ("topk" or "ada")) return false;
        float[][] scores = c.Tensor("scores", 2).Rows();
        int n = scores[0].Length;
        int length = c.Count("seq_len", n);
        int[] counts = Heads(c, "selected_counts", scores.Length, 0, n);
        for (int h = 0; h < scores.Length; h++)
        {
            int[] rows = rules.Rows([.. scores[h], .. new float[length - n]], 0, n, counts[h]);
            Compare.Equal($"kept[{h}]", ExpectedRows(c, h, n, length), rows);
            Compare.Equal($"retained_len[{h}]", Heads(c, "retained_len", scores.Length, 0, length)[h], rows.Length);
            if (counts[h] == 0) continue;
            float worst = rows.Where(j => j < n).Min(j => scores[h][j]);
            Compare.Equal($"threshold[{h}]", (float)(Heads<double?>(c, "threshold", scores.Length)[h] ?? double.NaN), worst);
        }

        Layout(c, Heads(c, "retained_len", scores.Length, 0, length));
        return true;
    }

    /// <summary>Ada's counts f_i from the recorded scores, where no tie leaves them open; and an exact total of the blend.</summary>
    public static bool HeadCounts(GoldenCase c, EvictionRules rules)
    {
        if (c.Kind != "ada" || !c.Expects("raw_counts")) return false;
        float[][] scores = c.Tensor("scores", 2).Rows();
        if (c.Param("normalize", false)) scores = Theory.Allocation.Normalised(scores, LayerBase(c));
        long total = (long)LayerBase(c) * scores.Length;
        int[] counts = rules.Counts(scores, total, HeadAllocation.Pure, default);
        if (c.Expects("budget_ambiguous") && c.Expected<bool>("budget_ambiguous"))
        {
            int[][] range = Heads<int[]>(c, "budget_range", scores.Length);
            for (int h = 0; h < counts.Length; h++)
            {
                Compare.Holds(
                    $"raw_counts[{h}]: computed {counts[h]}, possible {range[h][0]} to {range[h][1]}",
                    counts[h] >= range[h][0] && counts[h] <= range[h][1]);
            }
        }
        else
        {
            Compare.Equal("raw_counts", Heads<int>(c, "raw_counts", scores.Length), counts);
        }

        long all = Math.Min(total, scores.Sum(s => (long)s.Length));
        Compare.Equal("total of the exact blend", all, rules.Counts(scores, total, HeadAllocation.Blend, c.ExactShare("floor_alpha")).Sum());
        return true;
    }

    /// <summary>The published quota and rounding, from the recorded counts; drift included.</summary>
    public static bool HeadBudgets(GoldenCase c)
    {
        if (c.Kind != "ada" || !c.Expects("raw_counts")) return false;
        (int rows, double floor) = (LayerBase(c), c.Share("floor_alpha"));
        int n = c.Tensor("scores", 2).Shape[1];
        int[] raw = c.Expected<int[]>("raw_counts");
        Compare.Equal("quota_before_round", c.Expected<float[]>("quota_before_round"), raw.Select(f => Compat.AdaQuota(f, rows, floor)));
        int[] budgets = [.. raw.Select(f => Compat.AdaBudget(f, rows, floor, n))];
        Compare.Equal("budgets", c.Expected<int[]>("budgets"), budgets);
        Compare.Equal("actual_total", c.Expected<int>("actual_total"), budgets.Sum());
        return true;
    }

    /// <summary>Rows that each head keeps, from the parameters: the layer's under a pyramid, a fixed table, a share of T.</summary>
    public static bool Layer(GoldenCase c)
    {
        if (c.Kind is not ("topk" or "ada")) return false;
        int heads = c.Tensor("scores", 2).Shape[0];
        if (c.HasParam("head_capacity"))
        {
            int[] table = c.Param<int[]>("head_capacity");
            if (table.Length % heads != 0) throw c.Fault($"has {table.Length} capacities for {heads} heads");
            Compare.Equal("budgets", c.Expected<int[]>("budgets"), Compat.HeadKvBudgets(table, heads));
            return true;
        }

        if (c.HasParam("compression_ratio"))
        {
            (int length, double ratio) = (c.Count("seq_len"), c.Share("compression_ratio"));
            int kept = LayerBudgets.KeepCountCompat(length, ratio);
            if (c.HasParam("n_kept")) Compare.Equal("n_kept", c.Count("n_kept"), kept);
            Compare.Equal("k", c.Expected<int>("k"), c.HasParam("beta") ? PyramidOfKvPress(c, length, ratio) : kept);
            return true;
        }

        if (LayerRows(c) is not { } rows || !(c.Expects("layer_base") || c.Expects("k"))) return false;
        Compare.Equal("rows of the layer", c.Expects("layer_base") ? LayerBase(c) : c.Expected<int>("k"), rows);
        return true;
    }

    /// <summary>The published schedule keeps the first prompt's clamp; a function of its arguments does not.</summary>
    public static bool LayerOfSecondPrompt(GoldenCase c)
    {
        if (c.Kind != "quirk-pyramid-state") return false;
        (int window, int beta) = (c.Count("window"), c.Count("pyramid_beta", 1));
        int rows = c.Count("base_capacity", window) - window;
        LayerEntry[] layers = c.Expected<LayerEntry[]>("layers");
        if (layers.Length < 2 || layers.Any(l => l.PrefixBudget is not [_, _] || l.RetainedLen is not [_, _]))
        {
            throw c.Fault("has layers without two prompts");
        }

        int first = c.Count("seq_len_first", window);
        int[] schedule = [.. layers.Select((_, l) => LayerBudgets.PyramidCompat(rows, first - window, beta, l, layers.Length))];
        int[] lengths = [first, c.Count("seq_len_second", window)];
        for (int prompt = 0; prompt < 2; prompt++)
        {
            Compare.Equal($"prefix_budget of prompt {prompt}", layers.Select(l => l.PrefixBudget![prompt]), schedule);
            Compare.Equal(
                $"retained_len of prompt {prompt}", layers.Select(l => l.RetainedLen![prompt]),
                schedule.Select(b => Math.Min(b + window, lengths[prompt])));
        }

        return true;
    }

    /// <summary>Rows of a layer before the window, as the AdaKV repository and KVCache-Factory count; null without a capacity.</summary>
    public static int? LayerRows(GoldenCase c)
    {
        string name = c.HasParam("base_capacity") ? "base_capacity" : "capacity";
        if (!c.HasParam(name)) return null;
        (int length, int window) = (c.Count("seq_len"), GoldenScores.Window(c));
        int rows = c.Count(name, window) - window;
        bool factory = c.Method.StartsWith("PyramidKV", StringComparison.Ordinal);
        if (!factory && !c.Param("pyramid", false)) return rows;
        if (factory && length < 2 * rows) return rows;
        int layers = c.Count("num_layers", 2);
        return LayerBudgets.PyramidCompat(
            rows, length - window, c.Count("pyramid_beta", 1), c.Count("layer_idx", 0, layers - 1), layers);
    }

    /// <summary>The recorded rows per head before the window.</summary>
    public static int LayerBase(GoldenCase c) =>
        c.Expected<int>("layer_base") is >= 0 and < 1 << 20 and int rows ? rows : throw c.Fault("has an impossible layer_base");

    /// <summary>The recorded rows of every head, ascending and inside the run; null where a tie leaves a head open.</summary>
    public static int[][]? Kept(GoldenCase c)
    {
        int[]?[] recorded = c.Expected<int[]?[]>("kept");
        int[][] kept = [.. recorded.OfType<int[]>()];
        if (kept.Length < recorded.Length) return null;
        int length = c.Count("seq_len");
        bool Ascends(int[] rows) => rows.All(j => j >= 0 && j < length) && rows.Zip(rows.Skip(1)).All(p => p.First < p.Second);
        return kept.Length > 0 && kept.All(Ascends) ? kept : throw c.Fault("has kept rows that do not ascend inside the run");
    }

    /// <summary>The varlen layout of the lengths, where it is recorded.</summary>
    public static void Layout(GoldenCase c, int[] lengths)
    {
        int[] starts = [0, .. lengths.Select((_, h) => lengths.Take(h + 1).Sum())];
        foreach (string name in (string[])["cu_klen", "cu_seqlens_k"])
        {
            if (c.Expects(name)) Compare.Equal(name, c.Expected<int[]>(name), starts);
        }

        if (c.Expects("max_seqlen_k")) Compare.Equal("max_seqlen_k", c.Expected<int>("max_seqlen_k"), lengths.Max());
        if (c.Expects("klen_sum")) Compare.Equal("klen_sum", c.Expected<int>("klen_sum"), lengths.Sum());
        if (c.Expects("cu_qlen")) Compare.Equal("cu_qlen", c.Expected<int[]>("cu_qlen"), Enumerable.Range(0, lengths.Length + 1));
    }

    /// <summary>A recorded list with one entry a head.</summary>
    public static T[] Heads<T>(GoldenCase c, string name, int heads) =>
        c.Expected<T[]>(name) is { } list && list.Length == heads ? list : throw c.Fault($"has '{name}' for another number of heads");

    private static int[] Heads(GoldenCase c, string name, int heads, int least, int most) =>
        Heads<int>(c, name, heads) is { } list && list.All(n => n >= least && n <= most)
            ? list
            : throw c.Fault($"has '{name}' outside {least} to {most}");

    private static IEnumerable<int> ExpectedRows(GoldenCase c, int head, int n, int length)
    {
        int[]?[] kept = c.Expected<int[]?[]>("kept");
        if (head < kept.Length && kept[head] is { } rows) return rows;
        int[] Tie(string name) => c.Expected<int[]?[]>(name) is { } all && head < all.Length && all[head] is { } list
            ? list
            : throw c.Fault($"lacks '{name}' of head {head}");
        int pick = c.Expected<int[]>("tie_pick") is { } picks && head < picks.Length ? picks[head] : throw c.Fault("lacks a 'tie_pick'");
        return [.. Tie("tie_forced").Concat(Tie("tie_candidates").Take(pick)).Order(), .. Enumerable.Range(n, length - n)];
    }

    private static int PyramidOfKvPress(GoldenCase c, int length, double ratio)
    {
        int layers = c.Count("num_layers", 1);
        return LayerBudgets.PyramidKvPressCompat(
            length, ratio, GoldenScores.Window(c), c.Count("beta", 1), c.Count("layer_idx", 0, layers - 1), layers);
    }

    private sealed record LayerEntry(
        [property: JsonPropertyName("prefix_budget")] int[]? PrefixBudget,
        [property: JsonPropertyName("retained_len")] int[]? RetainedLen);
}
