namespace KvIL.Eviction;

/// <summary>PrefixKV's own search for its budgets, which drifts by some rows; for comparison only.</summary>
/// <remarks>
/// THU-MIG/PrefixKV 39b7265, <c>obtain_cdf_num</c>, in the float32 that it uses: a bisection for the threshold p with
/// <c>k_l(p) = min{k : P_l(k) ≥ p}</c> that stops within 5 rows of its target, then a rescaling that truncates. It may never stop
/// there; here it stops after 1074 halvings, when the interval is empty.
/// </remarks>
/// <param name="BeforeRescale">Rows that each layer drops where the search stopped.</param>
/// <param name="Dropped">Rows that each layer drops in the end.</param>
/// <param name="Target">Rows that all layers together were to drop.</param>
public sealed record PrefixKvCompat(int[] BeforeRescale, int[] Dropped, double Target)
{
    private const int Halvings = 1074, Slack = 5;

    /// <summary>Budgets for layers of one length.</summary>
    /// <param name="importance">I_l, one array a layer.</param>
    /// <param name="evictRatio">The share to DROP.</param>
    /// <param name="guarded">Rows of a layer that are never dropped.</param>
    public static PrefixKvCompat Of(float[][] importance, double evictRatio, int guarded)
    {
        ArgumentNullException.ThrowIfNull(importance);
        float[][] prefix = [.. importance.Select(Cumulated)];
        double target = importance.Sum(layer => (long)layer.Length) * evictRatio;
        (double left, double right, double middle) = (0, 1, 0);
        for (int halving = 0; left < right && halving < Halvings; halving++)
        {
            middle = (left + right) / 2;
            long dropped = DroppedAt(prefix, (float)middle, guarded).Sum(n => (long)n);
            if (Math.Abs(dropped - target) < Slack) break;
            if (dropped < target) right = middle;
            else left = middle;
        }

        int[] found = DroppedAt(prefix, (float)middle, guarded);
        double sum = found.Sum(n => (double)n);
        return new(found, [.. found.Select(n => sum == 0 ? 0 : (int)(n * target / sum))], target);
    }

    /// <summary>Rows that each layer drops by a published table: <c>round(e_l · T)</c>, halves to even; the total is whatever that gives.</summary>
    public static int[] DroppedByTable(ReadOnlySpan<double> evicted, int length)
    {
        int[] dropped = new int[evicted.Length];
        for (int l = 0; l < dropped.Length; l++) dropped[l] = (int)Math.Round(evicted[l] * length, MidpointRounding.ToEven);
        return dropped;
    }

    // Normalised, summed from the largest; torch sums in double and stores float32.
    private static float[] Cumulated(float[] layer)
    {
        float[] sorted = [.. layer.OrderDescending()];
        float total = (float)sorted.Sum(x => (double)x);
        double sum = 0;
        return [.. sorted.Select(x => (float)(sum += x / total))];
    }

    private static int[] DroppedAt(float[][] prefix, float threshold, int guarded) => [.. prefix.Select(layer =>
    {
        int rows = Array.FindIndex(layer, p => p >= threshold);
        int kept = (rows < 0 ? layer.Length : rows) + 1;
        return Math.Max(layer.Length - kept - guarded, 0);
    })];
}
