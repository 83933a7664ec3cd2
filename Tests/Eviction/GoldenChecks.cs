using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>What is recorded of a golden case against what KvIL computes; each check says whether it applied.</summary>
internal static class GoldenChecks
{
    public static readonly IReadOnlyDictionary<string, Func<GoldenCase, bool>> All = new Dictionary<string, Func<GoldenCase, bool>>
    {
        ["scores"] = Scores,
        ["rows"] = Rows,
        ["head counts"] = HeadCounts,
        ["head budgets"] = HeadBudgets,
        ["guaranteed heads"] = GuaranteedHeads,
        ["positions"] = Positions,
        ["layer"] = Layer,
        ["layer of a second prompt"] = LayerOfSecondPrompt,
        ["loss"] = Loss,
        ["loss of uniform"] = LossOfUniform,
    };

    // Methods that score by the window's attention.
    private static readonly string[] WindowMethods =
        ["SnapKV", "PyramidKV", "AdaptiveSnapKVCluster", "AdaKVCluster", "HeadKVCluster"];

    /// <summary>
    /// Scores by definition, in double, against official float32 (1e-6 of the row's maximum) and a double
    /// definition (1e-9).
    /// </summary>
    private static bool Scores(GoldenCase c)
    {
        if (!c.Has("q", "k", "scores", "scores_def64") || c.Has("attentions_input")) return false;
        if (!WindowMethods.Contains(c.Method.Split(' ')[0]) || c.Kind is not ("topk" or "ada")) return false;
        double[,] mine = Definition(c);
        int first = c.Optional("definition_columns")?[0]?.GetValue<int>() ?? 0;
        Near(c.Tensor("scores").Matrix(), first, 1e-6);
        Near(c.Tensor("scores_def64").Matrix(), 0, 1e-9);
        return true;

        void Near(double[,] theirs, int shift, double share)
        {
            for (int i = 0; i < mine.GetLength(0); i++)
            {
                double max = Enumerable.Range(0, mine.GetLength(1)).Max(j => Math.Abs(mine[i, j]));
                for (int j = 0; j < mine.GetLength(1); j++)
                {
                    Assert.InRange(Math.Abs(mine[i, j] - theirs[i, j + shift]), 0, share * max);
                }
            }
        }
    }

    private static double[,] Definition(GoldenCase c)
    {
        // kvpress pools each query head and then takes the group's mean; the others reduce the group first, where they reduce it.
        bool kvpress = c.Repository == "NVIDIA/kvpress";
        bool grouped = kvpress || (bool?)c.Parameters["gqa_support"] == true;
        string pooling = (string?)c.Parameters["pooling"] ?? "avgpool";
        double[,,] a = WindowScores.Attention(c.Tensor("q").Cube(), c.Tensor("k").Cube(), c.Int("window"));
        Func<IEnumerable<double>, double> group = (string?)c.Parameters["gqa_func"] switch
        {
            "max" => Enumerable.Max,
            "sum" => Enumerable.Sum,
            _ => Enumerable.Average,
        };
        double[,] s = WindowScores.Scores(
            a, grouped ? c.Int("kv_heads") : c.Int("heads"), c.Int("kernel"), pooling == "maxpool" ? PoolKind.Max : PoolKind.Avg,
            kvpress ? PoolOrder.PoolThenGroup : PoolOrder.GroupThenPool, group);
        if ((string?)c.Parameters["reduce"] == "sum")
        {
            for (int x = 0; x < s.Length; x++) s[x / s.GetLength(1), x % s.GetLength(1)] *= c.Int("window");
        }

        return s;
    }

    /// <summary>
    /// The rows kept when the official counts are fed in; on a tie, those that the set demands and the lowest of
    /// the others.
    /// </summary>
    private static bool Rows(GoldenCase c)
    {
        if (c.Kind is not ("topk" or "ada")) return false;
        float[][] scores = c.Tensor("scores").Rows();
        int[] counts = c.Ints("selected_counts")!;
        int length = c.Int("seq_len");
        int n = scores[0].Length;
        for (int h = 0; h < scores.Length; h++)
        {
            float[] run = [.. scores[h], .. new float[length - n]];
            int[] rows = SelectionCase.Kernel(run, 0, n, counts[h]);
            int[] window = [.. Enumerable.Range(n, length - n)];
            int[] expected = c.Expected["kept"]![h]?.Deserialize<int[]>() ??
                [.. Tie("tie_forced").Concat(Tie("tie_candidates").Take((int)c.Expected["tie_pick"]![h]!)).Order(), .. window];
            Assert.Equal(expected, rows);
            Assert.Equal(c.Ints("retained_len")![h], rows.Length);
            if (counts[h] > 0)
            {
                Assert.Equal((float)c.Expected["threshold"]![h]!, rows.Where(j => j < n).Min(j => scores[h][j]));
            }

            IEnumerable<int> Tie(string name) => c.Expected[name]![h].Deserialize<int[]>()!;
        }

        if (c.Ints("cu_klen") is { } starts)
        {
            Assert.Equal(starts, c.Ints("retained_len")!.Aggregate(new List<int> { 0 }, (sums, n) => [.. sums, sums[^1] + n]));
        }

        return true;
    }

    /// <summary>Ada's counts f_i from the recorded scores.</summary>
    private static bool HeadCounts(GoldenCase c)
    {
        if (c.Kind != "ada" || c.Ints("raw_counts") is not { } raw) return false;
        int layerBase = (int)c.Expected["layer_base"]!;
        float[][] scores = c.Tensor("scores").Rows();
        if ((bool)c.Parameters["normalize"]!) scores = [.. scores.Select(row => Normalised(row, layerBase))];
        long total = (long)layerBase * scores.Length;
        int[] counts = AllocationCase.Kernel(scores, total, HeadAllocation.Pure, default);
        if (c.Expected["budget_ambiguous"]?.GetValue<bool>() == true)
        {
            int[][] range = c.Expected["budget_range"].Deserialize<int[][]>()!;
            Assert.All(counts.Zip(range), p => Assert.InRange(p.First, p.Second[0], p.Second[1]));
            Assert.Equal(total, counts.Sum());
        }
        else
        {
            Assert.Equal(raw, counts);
        }

        Assert.Equal(total, AllocationCase.Kernel(scores, total, HeadAllocation.Blend, Floor(c, "floor_alpha")).Sum());
        return true;
    }

    // S_i · (Σ of its best `top` / Σ of all)
    private static float[] Normalised(float[] row, int top)
    {
        double share = row.OrderDescending().Take(top).Sum(x => (double)x) / row.Sum(x => (double)x);
        return [.. row.Select(x => (float)(x * share))];
    }

    /// <summary>The published quota and rounding, from the recorded counts; exact, drift included.</summary>
    private static bool HeadBudgets(GoldenCase c)
    {
        if (c.Kind != "ada" || c.Ints("raw_counts") is not { } raw) return false;
        (int layerBase, double floor) = ((int)c.Expected["layer_base"]!, (double)c.Parameters["floor_alpha"]!);
        int n = c.Tensor("scores").Shape[1];
        Assert.Equal(c.Expected["quota_before_round"].Deserialize<float[]>(), raw.Select(f => Compat.AdaQuota(f, layerBase, floor)));
        int[] budgets = [.. raw.Select(f => Compat.AdaBudget(f, layerBase, floor, n))];
        Assert.Equal(c.Ints("budgets"), budgets);
        Assert.Equal((int)c.Expected["actual_total"]!, budgets.Sum());
        return true;
    }

    /// <summary>kvpress's AdaKV is floor mode: counts and rows from the recorded scores, sentinels included.</summary>
    private static bool GuaranteedHeads(GoldenCase c)
    {
        if (c.Kind != "mask-ada" || (bool)c.Expected["ambiguous"]!) return false;
        float[][] scores = c.Tensor("scores").Rows();
        long total = (long)scores.Length * (int)c.Expected["n_kept_per_head"]!;
        Assert.Equal((long)scores.Length * c.Int("seq_len"), total + (int)c.Expected["n_pruned_total"]!);
        int[] counts = AllocationCase.Kernel(scores, total, HeadAllocation.Floor, Floor(c, "alpha_safeguard"));
        Assert.Equal(
            c.Expected["kept"].Deserialize<int[][]>(),
            counts.Select((keep, h) => SelectionCase.Kernel(scores[h], 0, scores[h].Length, keep)));
        return true;
    }

    /// <summary>Sinks and the most recent rows; or everything, where the capacity is not reached.</summary>
    private static bool Positions(GoldenCase c)
    {
        if (c.Kind != "positions" || c.Parameters["capacity"] is null) return false;
        (int length, int capacity) = (c.Int("seq_len"), c.Int("capacity"));
        int[]? rows = c.Parameters["sinks"] is { } sinks ? SelectionCase.Kernel(new float[length], (int)sinks, length - capacity, 0)
            : capacity > length ? SelectionCase.Kernel(new float[length], 0, length - c.Int("window"), length - c.Int("window"))
            : null;
        if (rows is null) return false;
        Assert.All(c.Expected["kept"].Deserialize<int[][]>()!, kept => Assert.Equal(kept, rows));
        return true;
    }

    /// <summary>A layer's rows under the pyramid that the case names.</summary>
    private static bool Layer(GoldenCase c)
    {
        int? capacity = (int?)(c.Parameters["base_capacity"] ?? c.Parameters["capacity"]);
        if (c.Kind == "topk" && c.Parameters["beta"] is not null)
        {
            double ratio = (double)c.Parameters["compression_ratio"]!;
            Assert.Equal((int)c.Expected["k"]!, LayerBudgets.PyramidKvPressCompat(
                c.Int("seq_len"), ratio, c.Int("window"), c.Int("beta"), c.Int("layer_idx"), c.Int("num_layers")));
            return true;
        }

        bool factory = c.Method == "PyramidKV (KVCache-Factory)";
        if (capacity is null || (!factory && (bool?)c.Parameters["pyramid"] != true)) return false;
        (int length, int window, int rows) = (c.Int("seq_len"), c.Int("window"), capacity.Value - c.Int("window"));
        int pyramid = LayerBudgets.PyramidCompat(rows, length - window, c.Int("pyramid_beta"), c.Int("layer_idx"), c.Int("num_layers"));
        JsonNode? recorded = c.Expected["layer_base"] ?? c.Expected["k"];
        if (recorded is null) return false;
        Assert.Equal((int)recorded, factory && length < 2 * rows ? rows : pyramid);
        return true;
    }

    /// <summary>The published schedule keeps the first prompt's clamp; a function of its arguments does not.</summary>
    private static bool LayerOfSecondPrompt(GoldenCase c)
    {
        if (c.Kind != "quirk-pyramid-state") return false;
        int rows = c.Int("base_capacity") - c.Int("window");
        JsonArray layers = c.Expected["layers"]!.AsArray();
        int[] Schedule(string length) => [.. layers.Select((_, l) => LayerBudgets.PyramidCompat(
            rows, c.Int(length) - c.Int("window"), c.Int("pyramid_beta"), l, layers.Count))];
        int[] Recorded(int prompt) => [.. layers.Select(l => (int)l!["prefix_budget"]![prompt]!)];
        Assert.Equal(Recorded(0), Schedule("seq_len_first"));
        Assert.Equal(Recorded(0), Recorded(1));
        Assert.NotEqual(Recorded(1), Schedule("seq_len_second"));
        return true;
    }

    /// <summary>Loss and bounds of the recorded rows, 1e-9 relative.</summary>
    private static bool Loss(GoldenCase c)
    {
        int[]?[]? kept = c.Expected["kept"]?.Deserialize<int[]?[]>();
        if (c.Optional("definition_loss") is not { } expected || kept is null || kept.Contains(null)) return false;
        Same(expected, LossOf(c, kept!));
        return true;
    }

    private static bool LossOfUniform(GoldenCase c)
    {
        if (c.Optional("definition_loss_uniform") is not { } expected) return false;
        float[][] scores = c.Tensor("scores").Rows();
        long total = (long)scores.Length * (int)c.Expected["layer_base"]!;
        int[] counts = AllocationCase.Kernel(scores, total, HeadAllocation.Uniform, default);
        int n = scores[0].Length;
        float[] window = new float[c.Int("seq_len") - n];
        EvictionLoss uniform = LossOf(c, [.. counts.Select((keep, h) => SelectionCase.Kernel([.. scores[h], .. window], 0, n, keep))]);
        Same(expected, uniform);
        Assert.True((double)c.Optional("definition_loss")!["eps"]! <= uniform.Epsilon);
        return true;
    }

    private static EvictionLoss LossOf(GoldenCase c, int[][] keptOfHead)
    {
        (double[,] q, double[,,] k) = (c.Tensor("qd").Matrix(), c.Tensor("k").Cube());
        (int h, int length, int d) = (q.GetLength(0), k.GetLength(1), k.GetLength(2));
        double[,] a = new double[h, length];
        bool[,] kept = new bool[h, length];
        for (int i = 0; i < h; i++)
        {
            int kv = i / (h / k.GetLength(0));
            double[] row = WindowScores.Softmax([.. Enumerable.Range(0, length).Select(j =>
                Enumerable.Range(0, d).Sum(x => q[i, x] * k[kv, j, x]) / Math.Sqrt(d))]);
            for (int j = 0; j < length; j++) a[i, j] = row[j];
            foreach (int j in keptOfHead[i / (h / keptOfHead.Length)]) kept[i, j] = true;
        }

        return new(a, EvictionLoss.Contributions(c.Tensor("v").Cube(), c.Tensor("wo").Matrix()), kept);
    }

    private static void Same(JsonNode expected, EvictionLoss loss)
    {
        Near("loss_l1", loss.Loss);
        Near("theta", loss.Theta);
        Near("eps_head", loss.EpsilonPerHead);
        Near("eps", loss.Epsilon);
        Near("C", loss.Norm);
        double[] mass = expected["retained_mass"].Deserialize<double[]>()!;
        for (int i = 0; i < mass.Length; i++) Assert.InRange(Math.Abs(loss.RetainedMass(i) - mass[i]), 0, 1e-12);
        Assert.True(loss.Loss <= loss.Theta && loss.Theta <= loss.EpsilonPerHead && loss.EpsilonPerHead <= loss.Epsilon);

        void Near(string name, double actual) =>
            Assert.InRange(Math.Abs(actual - (double)expected[name]!), 0, 1e-9 * Math.Abs((double)expected[name]!));
    }

    // The number as the file has it, not the double nearest to it.
    private static Ratio Floor(GoldenCase c, string name) =>
        Ratio.Parse(((decimal)c.Parameters[name]!).ToString(CultureInfo.InvariantCulture));
}
