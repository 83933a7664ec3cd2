namespace KvIL.Eviction;

/// <summary>A total split over layers or heads in proportion to weights: fixed tables and preferences, with their total met exactly.</summary>
/// <remarks>
/// PrefixKV's and LU-KV's tables of shares, HeadKV's capacities and CAKE's layer preferences are all this rule with other weights.
/// <code>
/// x_i = min(n_i, λ w_i)   with   Σ x_i = min(B, Σ n_i)                            what the full ones leave goes to the others
/// b_i = ⌊x_i⌋ + [i has one of the largest B − Σ ⌊x⌋ remainders, ties to the lower i]
/// </code>
/// Entries of weight 0 get rows only when all others are full, and share them equally. A remainder may move to another entry when B
/// grows: keep sets of different totals need not nest.
/// </remarks>
public static class ProportionalBudgets
{
    private const double Unit = 1L << 31;

    /// <summary>Preferences as whole weights: <c>round(2³¹ · p_i / max p)</c>; NaN and negative ones count as 0.</summary>
    public static long[] Weights(ReadOnlySpan<double> preferences)
    {
        double max = 0;
        foreach (double p in preferences) max = p > max ? p : max;
        long[] weights = new long[preferences.Length];
        for (int i = 0; i < weights.Length; i++)
        {
            double share = double.IsInfinity(max) ? (double.IsPositiveInfinity(preferences[i]) ? 1 : 0) : preferences[i] / max;
            weights[i] = share > 0 ? (long)Math.Round(share * Unit) : 0;
        }

        return weights;
    }

    /// <summary>Splits <paramref name="total"/> rows.</summary>
    /// <param name="weights">w_i ≥ 0, with a sum below 2⁶³.</param>
    /// <param name="capacities">n_i, the rows that entry i has.</param>
    /// <param name="total">B.</param>
    /// <param name="budgets">b_i.</param>
    /// <exception cref="ArgumentException">The three lists differ in length.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative.</exception>
    /// <exception cref="OverflowException">The sum of the weights does not fit 64 bits.</exception>
    public static void Split(ReadOnlySpan<long> weights, ReadOnlySpan<int> capacities, long total, Span<int> budgets)
    {
        List<int> open = Check(weights, capacities, total, budgets.Length);
        (long left, long sum, bool equal) = Fill(weights, capacities, open, total, budgets);
        ShareOut(weights, open, left, equal, sum, budgets);
    }

    /// <summary>x_i, exactly.</summary>
    /// <inheritdoc cref="Split"/>
    public static Ratio[] Quotas(ReadOnlySpan<long> weights, ReadOnlySpan<int> capacities, long total)
    {
        int[] full = new int[weights.Length];
        List<int> open = Check(weights, capacities, total, full.Length);
        (long left, long sum, bool equal) = Fill(weights, capacities, open, total, full);
        Ratio[] quotas = [.. full.Select(rows => new Ratio(rows, 1))];
        foreach (int i in open) quotas[i] = new(checked(left * (equal ? 1 : weights[i])), sum);
        return quotas;
    }

    private static List<int> Check(ReadOnlySpan<long> weights, ReadOnlySpan<int> capacities, long total, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(total);
        if (weights.Length != count || capacities.Length != count)
        {
            throw new ArgumentException($"Expected as many weights and capacities as budgets, {count}.", nameof(weights));
        }

        for (int i = 0; i < count; i++)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(weights[i], nameof(weights));
            ArgumentOutOfRangeException.ThrowIfNegative(capacities[i], nameof(capacities));
        }

        return [.. Enumerable.Range(0, count)];
    }

    // Entries whose share is no less than their capacity are filled and leave; what is left is for those that stay.
    private static (long Left, long Sum, bool Equal) Fill(ReadOnlySpan<long> weights, ReadOnlySpan<int> capacities, List<int> open, long left, Span<int> budgets)
    {
        while (true)
        {
            long sum = 0;
            foreach (int i in open) sum = checked(sum + weights[i]);
            bool equal = sum == 0;
            if (equal) sum = open.Count;

            List<int> rest = [];
            long before = left;
            foreach (int i in open)
            {
                if ((Int128)capacities[i] * sum <= (Int128)before * (equal ? 1 : weights[i])) left -= budgets[i] = capacities[i];
                else rest.Add(i);
            }

            if (rest.Count == open.Count) return (left, Math.Max(1, sum), equal);
            open.Clear();
            open.AddRange(rest);
        }
    }

    private static void ShareOut(ReadOnlySpan<long> weights, List<int> open, long total, bool equal, long sum, Span<int> budgets)
    {
        List<(Int128 Remainder, int Index)> remainders = [];
        long spare = total;
        foreach (int i in open)
        {
            (Int128 floor, Int128 remainder) = Int128.DivRem((Int128)total * (equal ? 1 : weights[i]), sum);
            budgets[i] = (int)floor;
            spare -= budgets[i];
            remainders.Add((remainder, i));
        }

        remainders.Sort((a, b) => a.Remainder != b.Remainder ? b.Remainder.CompareTo(a.Remainder) : a.Index.CompareTo(b.Index));
        foreach ((_, int i) in remainders.Take((int)spare)) budgets[i]++;
    }
}
