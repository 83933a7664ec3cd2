using KvIL.Conformance.Theory;
using KvIL.Conformance.Theory.Scores;

namespace KvIL.Conformance.Golden.Eviction;

/// <summary>Scores by definition, in double, against the official ones.</summary>
/// <remarks>
/// Tolerances are those of the format, in shares of the row's maximum: 1e-6 of float32, 1e-9 of a definition in double, 1.5 % of
/// bfloat16. Leverage goes through a float32 Cholesky factor there: unit roundoff 6e-8 times the condition of the sketched Gram
/// matrix, some hundreds for the square of a Gaussian sketch of 16 to 12 dimensions, is 1e-5.
/// </remarks>
internal static class ScoreChecks
{
    private const double Float32 = 1e-6, Float32Solve = 1e-5, Float64 = 1e-9, BFloat16 = 0.015;

    /// <summary>The official scores, and those for inputs in double or rounded to bfloat16.</summary>
    public static bool Scores(GoldenCase c)
    {
        if (!c.Has("k", "scores") || Base(c) is not { } score) return false;
        double[,] mine = AsRecorded(c, score, score.Of(GoldenScores.Inputs(c)));
        double[,] official = Official(c, "scores", mine);
        int shift = Shift(score, official, mine);
        double share = score is LeverageScore ? Float32Solve : Float32;
        Compare.Near("scores", official, mine, shift, share, (i, j) => official[i, shift + j] < float.MaxValue);
        Protected(c, official, mine, shift);
        if (c.Has("scores_f64in")) Compare.Near("scores_f64in", Official(c, "scores_f64in", mine), mine, shift, Float32);
        if (c.Has("scores_def64"))
        {
            double[,] exact = c.Has("attentions_input") ? score.Of(GoldenScores.Inputs(c, givenAttention: false)) : mine;
            Compare.Near("scores_def64", Official(c, "scores_def64", mine), exact, 0, Float64);
        }

        if (c.Has("scores_bf16in")) Compare.Near("scores_bf16in", Official(c, "scores_bf16in", mine), mine, shift, BFloat16);
        return true;
    }

    /// <summary>CriticalKV: the first stage's scores, the norms, and the second stage where the first has not decided.</summary>
    public static bool CriticalScores(GoldenCase c)
    {
        if (!c.Has("wo_norm", "v", "wo")) return false;
        ScoreInputs x = GoldenScores.Inputs(c);
        double[,] norms = CriticalKv.ProjectedNorms(x.Values, x.OutputProjection);
        Compare.Near("wo_norm", c.Tensor("wo_norm", x.KvHeads, x.Length).Matrix(), norms, 0, Float32);
        if (!c.Has("base_scores") || GoldenScores.Definition(c, GoldenScores.Names(c.Method).Score) is not { } first) return true;

        double[,] basis = Padded(first, x);
        Compare.Near("base_scores", c.Tensor("base_scores", x.KvHeads, x.Length).Matrix(), basis, 0, Float32);
        CriticalKv critical = new(first, c.Param("epsilon", 1e-4));
        double[,] mine = Arrays.Table(x.KvHeads, x.Length, (g, j) => (basis[g, j] + critical.Epsilon) * norms[g, j]);
        double[,] official = c.Tensor("scores", x.KvHeads, x.Length).Matrix();
        Compare.Near("scores", official, mine, 0, Float32, (g, j) => official[g, j] < float.MaxValue);
        int kept = (int)((1 - c.Share("compression_ratio")) * x.Length * c.Share("first_stage_ratio"));
        for (int g = 0; g < x.KvHeads; g++)
        {
            float[] row = [.. Arrays.Row(basis, g).Select(s => (float)s)];
            IEnumerable<int> decided = Enumerable.Range(0, x.Length).Where(j => official[g, j] == float.MaxValue);
            Compare.Equal($"rows of the first stage of head {g}", decided, Allocation.Rows(row, 0, row.Length, kept));
        }

        return true;
    }

    /// <summary>Algorithm 1 on attention itself: one query's, summed over the group.</summary>
    public static bool RawAttention(GoldenCase c)
    {
        if (!c.Method.StartsWith("Algorithm 1", StringComparison.Ordinal) || !c.Has("qd", "k", "scores")) return false;
        double[,] a = LossChecks.DecodeAttention(c);
        int prefix = a.GetLength(1) - GoldenScores.Window(c);
        double[,] mine = WindowScores.Group(
            Arrays.Table(a.GetLength(0), prefix, (i, j) => a[i, j]), c.Tensor("k", 3).Shape[0], Enumerable.Sum);
        Compare.Near("scores", Official(c, "scores", mine), mine, 0, Float32);
        return true;
    }

    // The score that the recorded ones are: of a wrapper, the wrapped; CriticalKV has a check of its own.
    private static IScore? Base(GoldenCase c)
    {
        (string? wrapper, string name) = GoldenScores.Names(c.Method);
        return wrapper == "CriticalKV" ? null : GoldenScores.Definition(c, name);
    }

    // kvpress's StreamingLLM scores what it keeps 1 and the rest 0.
    private static double[,] AsRecorded(GoldenCase c, IScore score, double[,] mine)
    {
        if (score is not StreamingLlm) return mine;
        int keep = c.Count("n_kept") - score.Candidates(c.Count("seq_len")).Begin;
        return Arrays.Table(mine.GetLength(0), mine.GetLength(1), (_, j) => j >= mine.GetLength(1) - keep ? 1 : 0);
    }

    private static double[,] Official(GoldenCase c, string name, double[,] mine)
    {
        GoldenTensor tensor = c.Tensor(name, 2);
        return tensor.Shape[0] == mine.GetLength(0) && tensor.Shape[1] >= mine.GetLength(1)
            ? tensor.Matrix()
            : throw c.Fault($"has {name} of shape {tensor.Show} for {mine.GetLength(0)} heads and {mine.GetLength(1)} rows that compete");
    }

    // Recorded scores have all columns, or those that compete.
    private static int Shift(IScore score, double[,] official, double[,] mine) =>
        official.GetLength(1) == mine.GetLength(1) ? 0 : score.Candidates(official.GetLength(1)).Begin;

    // Rows that do not compete here have a score there that no competing one exceeds.
    private static void Protected(GoldenCase c, double[,] official, double[,] mine, int shift)
    {
        for (int i = 0; i < mine.GetLength(0); i++)
        {
            double[] row = Arrays.Row(official, i);
            double best = row.Skip(shift).Take(mine.GetLength(1)).DefaultIfEmpty(0).Max();
            IEnumerable<double> rest = row.Take(shift).Concat(row.Skip(shift + mine.GetLength(1)));
            Compare.Holds($"a protected row of head {i} of {c.Id} scores less than another", rest.All(s => s >= best));
        }
    }

    // All rows: those that do not compete have one more than the largest score, as in kvpress.
    private static double[,] Padded(IScore score, ScoreInputs x)
    {
        double[,] s = score.Of(x);
        (int begin, int count) = score.Candidates(x.Length);
        double above = s.Cast<double>().Max() + 1;
        return Arrays.Table(x.KvHeads, x.Length, (g, j) => j >= begin && j < begin + count ? s[g, j - begin] : above);
    }
}
