using KvIL.Conformance.Theory;
using KvIL.Eviction;

namespace KvIL.Conformance.Golden.Eviction;

/// <summary>Loss and bounds of the rows that the official code kept, 1e-9 relative.</summary>
internal static class LossChecks
{
    /// <summary>Of the recorded rows.</summary>
    public static bool Loss(GoldenCase c)
    {
        if (!c.HasField("definition_loss") || !c.Expects("kept") || RowChecks.Kept(c) is not { } kept) return false;
        Same(c, "definition_loss", Of(c, kept));
        return true;
    }

    /// <summary>Of a uniform split with the same total, which has no smaller ε.</summary>
    public static bool LossOfUniform(GoldenCase c, EvictionRules rules)
    {
        if (!c.HasField("definition_loss_uniform")) return false;
        float[][] scores = c.Tensor("scores", 2).Rows();
        int n = scores[0].Length;
        int window = c.Count("seq_len", n) - n;
        int[] counts = rules.Counts(scores, (long)scores.Length * RowChecks.LayerBase(c), HeadAllocation.Uniform, default);
        EvictionLoss uniform = Of(c, [.. counts.Select((keep, h) => rules.Rows([.. scores[h], .. new float[window]], 0, n, keep))]);
        Same(c, "definition_loss_uniform", uniform);
        Compare.Holds("eps of uniform is below Ada's", Number(c, "definition_loss", "eps") <= uniform.Epsilon);
        return true;
    }

    /// <summary>Attention of the one decode query, <c>[h, T]</c>.</summary>
    public static double[,] DecodeAttention(GoldenCase c)
    {
        GoldenTensor keys = c.Tensor("k", 3);
        GoldenTensor queries = c.Tensor("qd", c.Tensor("qd", 2).Shape[0], keys.Shape[2]);
        (double[,] q, double[,,] k, int h, int kv) = (queries.Matrix(), keys.Cube(), queries.Shape[0], keys.Shape[0]);
        if (h % kv != 0) throw c.Fault($"has {h} decode queries for {kv} KV heads");
        double[][] rows = [.. Enumerable.Range(0, h).Select(i => WindowScores.Softmax([.. Arrays.Vectors(k, i / (h / kv))
            .Select(key => Arrays.Dot(Arrays.Row(q, i), key) / Math.Sqrt(key.Length))]))];
        return Arrays.Table(h, keys.Shape[1], (i, j) => rows[i][j]);
    }

    private static EvictionLoss Of(GoldenCase c, int[][] keptOfHead)
    {
        double[,] a = DecodeAttention(c);
        (int h, int length) = (a.GetLength(0), a.GetLength(1));
        GoldenTensor v = c.Tensor("v", 3);
        if (!v.Shape.SequenceEqual(c.Tensor("k", 3).Shape) || h % keptOfHead.Length != 0) throw c.Fault("has values or kept rows of another shape");
        bool[,] kept = new bool[h, length];
        for (int i = 0; i < h; i++)
        {
            foreach (int j in keptOfHead[i / (h / keptOfHead.Length)]) kept[i, j] = true;
        }

        GoldenTensor wo = c.Tensor("wo", c.Tensor("wo", 2).Shape[0], h * v.Shape[2]);
        return new(a, EvictionLoss.Contributions(v.Cube(), wo.Matrix()), kept);
    }

    private static void Same(GoldenCase c, string field, EvictionLoss loss)
    {
        Near("loss_l1", loss.Loss);
        Near("theta", loss.Theta);
        Near("eps_head", loss.EpsilonPerHead);
        Near("eps", loss.Epsilon);
        Near("C", loss.Norm);
        double[] mass = c.Field<Dictionary<string, System.Text.Json.JsonElement>>(field)
            .TryGetValue("retained_mass", out System.Text.Json.JsonElement list)
            && list.ValueKind == System.Text.Json.JsonValueKind.Array
                ? [.. list.EnumerateArray().Select(m => m.GetDouble())]
                : throw c.Fault($"lacks '{field}.retained_mass'");
        for (int i = 0; i < mass.Length; i++) Compare.Near($"retained_mass[{i}]", mass[i], loss.RetainedMass(i), 1e-12, 1);
        Compare.Holds("loss_l1 <= theta <= eps_head <= eps is broken", loss.Loss <= loss.Theta
            && loss.Theta <= loss.EpsilonPerHead && loss.EpsilonPerHead <= loss.Epsilon);

        void Near(string name, double computed) =>
            Compare.Near(name, Number(c, field, name), computed, 1e-9, Math.Abs(Number(c, field, name)));
    }

    private static double Number(GoldenCase c, string field, string name) =>
        c.Field<System.Text.Json.Nodes.JsonObject>(field)[name] is System.Text.Json.Nodes.JsonValue v && v.TryGetValue(out double number)
            ? number
            : throw c.Fault($"lacks the number '{field}.{name}'");
}
