using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>CAKE: mean and variance over the window's queries, so that rows whose attention moves are kept too.</summary>
/// <remarks>
/// CAKE (arXiv:2503.12491), as its code has it: <c>s[g, j] = mean_{i in g} pool_j( mean_t a[i, t, j] + γ var_t a[i, t, j] )</c>, var with w − 1.
/// </remarks>
/// <param name="Window">w, at least 2.</param>
/// <param name="Gamma">γ.</param>
/// <param name="Kernel">Average pooling kernel, odd.</param>
public sealed record Cake(int Window = 32, double Gamma = 200, int Kernel = 5) : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.WindowQueries;

    /// <inheritdoc/>
    public (int Begin, int Count) Candidates(int length) => (0, ProtectedRows.Candidates(length, 0, Window));

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x)
    {
        return OfFirst(x, x.Length - Window);
    }

    /// <summary>Scores of the first <paramref name="rows"/> rows.</summary>
    public double[,] OfFirst(ScoreInputs x, int rows)
    {
        double[,,] a = x.WindowAttention(Window);
        double[,] s = Arrays.Table(a.GetLength(0), rows, (i, j) =>
        {
            double[] column = Column(a, i, j);
            return column.Average() + (Gamma * Arrays.Variance(column));
        });
        return Arrays.GroupMean(WindowScores.Pool(s, Kernel, PoolKind.Avg), x.KvHeads);
    }

    /// <summary>How much of the cache a layer prefers to have: <c>H^{1/τ₁} · V^{1/τ₂}</c>.</summary>
    /// <remarks>
    /// <code>H = −Σ a ln(a + 1e-10)      V = Σ var_t a        over heads, the window's queries and the rows before the window</code>
    /// </remarks>
    /// <param name="a">Attention of the window's queries, <c>[h, w, T]</c>.</param>
    /// <param name="tau1">τ₁, weight of dispersion.</param>
    /// <param name="tau2">τ₂, weight of shift.</param>
    public static double Preference(double[,,] a, double tau1 = 1, double tau2 = 1)
    {
        (double h, double v) = DispersionAndShift(a);
        return Math.Pow(h, 1 / tau1) * Math.Pow(v, 1 / tau2);
    }

    /// <summary>H and V.</summary>
    public static (double H, double V) DispersionAndShift(double[,,] a)
    {
        (int h, int w, int n) = (a.GetLength(0), a.GetLength(1), Math.Max(a.GetLength(2) - a.GetLength(1), 0));
        double[][] columns = [.. Enumerable.Range(0, h * n).Select(x => Column(a, x / n, x % n))];
        double entropy = -columns.Sum(c => c.Sum(p => p * Math.Log(p + 1e-10)));
        double shift = columns.Sum(c => Arrays.Variance(c));
        return (entropy, shift);
    }

    private static double[] Column(double[,,] a, int i, int j) => [.. Enumerable.Range(0, a.GetLength(1)).Select(t => a[i, t, j])];
}
