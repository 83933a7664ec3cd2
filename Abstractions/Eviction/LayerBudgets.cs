namespace KvIL.Eviction;

/// <summary>How many candidate rows per KV head each layer keeps.</summary>
/// <remarks>
/// Rows and candidates exclude the protected rows. Every function is a pure function of its arguments: a second prompt of another
/// length gets its own schedule. <c>Compat</c> functions repeat published arithmetic, drift included, and serve comparison only.
/// </remarks>
public static class LayerBudgets
{
    /// <summary>The same for every layer: <c>b_l = min(rows, n)</c>.</summary>
    /// <param name="rows">Rows per KV head that a layer keeps on average.</param>
    /// <param name="candidates">n, rows that can be kept.</param>
    /// <param name="budgets">One entry a layer.</param>
    /// <exception cref="ArgumentOutOfRangeException">A count is negative.</exception>
    public static void Uniform(int rows, int candidates, Span<int> budgets)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(candidates);
        budgets.Fill(Math.Min(rows, candidates));
    }

    /// <summary>PyramidKV's falling schedule with its total met exactly: <c>Σ b_l = L · min(rows, n)</c>.</summary>
    /// <remarks>
    /// PyramidKV (arXiv:2406.02069), arithmetic progression:
    /// <code>
    /// low = rows/β    high = 2·rows − low     and where high ≥ n:  high = n,  low = 2·rows − n
    /// x_l = high − l · (high − low)/(L − 1)   rationals of mean rows, all in [0, n]
    /// b_l = ⌊x_l⌋ + [layer l has one of the largest L·rows − Σ ⌊x⌋ remainders, ties to the lower layer]
    /// </code>
    /// Lowering the slope where the first layer would pass n is the clamp and the redistribution in one: the mean stays.
    /// b never increases with l. One layer, or rows ≥ n: <c>b_l = min(rows, n)</c>. β = 1 is uniform.
    /// </remarks>
    /// <param name="rows">Rows per KV head that a layer keeps on average.</param>
    /// <param name="candidates">n, rows that can be kept.</param>
    /// <param name="beta">β, at least 1: the mean over the last layer's rows.</param>
    /// <param name="budgets">One entry a layer.</param>
    /// <exception cref="ArgumentOutOfRangeException">A count is negative, or β is less than 1.</exception>
    /// <exception cref="OverflowException">β · L · n does not fit 64 bits.</exception>
    public static void PyramidExact(int rows, int candidates, int beta, Span<int> budgets)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(beta, 1);
        Uniform(rows, candidates, budgets);
        int layers = budgets.Length;
        if (rows >= candidates || layers < 2) return;

        Span<long> remainders = layers <= 256 ? stackalloc long[layers] : new long[layers];
        long spare = (long)layers * rows;
        for (int l = 0; l < layers; l++)
        {
            (long numerator, long denominator) = Ideal(rows, candidates, beta, l, layers);
            (long floor, remainders[l]) = Math.DivRem(numerator, denominator);
            budgets[l] = (int)floor;
            spare -= floor;
        }

        for (int l = 0; l < layers; l++)
        {
            int before = 0;
            for (int other = 0; other < layers; other++)
            {
                if (HeadShares.RemainderComesFirst(remainders[other], other, remainders[l], l)) before++;
            }

            if (before < spare) budgets[l]++;
        }
    }

    /// <summary>x_l of <see cref="PyramidExact"/>: a layer's rows before they are rounded.</summary>
    /// <param name="rows">Rows per KV head that a layer keeps on average.</param>
    /// <param name="candidates">n, rows that can be kept.</param>
    /// <param name="beta">β, at least 1.</param>
    /// <param name="layer">l, from 0.</param>
    /// <param name="layers">L.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range.</exception>
    /// <exception cref="OverflowException">β · L · n does not fit 64 bits.</exception>
    public static Ratio PyramidQuota(int rows, int candidates, int beta, int layer, int layers)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(candidates);
        ArgumentOutOfRangeException.ThrowIfLessThan(beta, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(layer, layers);
        if (rows >= candidates || layers < 2) return new(Math.Min(rows, candidates), 1);
        (long numerator, long denominator) = Ideal(rows, candidates, beta, layer, layers);
        return new(numerator, denominator);
    }

    /// <summary>The integer schedule of the AdaKV repository and KVCache-Factory for one layer, bit for bit.</summary>
    /// <remarks>
    /// <code>
    /// low = rows // β    high = 2·rows − low    if high ≥ n: high = n, low = 2·rows − high
    /// b_l = high − l · ((high − low) // (L − 1))                                  // is floor division
    /// </code>
    /// The remainder of the division is never given back: 32 layers of 96 rows keep 3536 instead of 3072. With rows &gt; n the
    /// schedule rises with l. It may exceed n; the repositories keep everything then.
    /// </remarks>
    /// <param name="rows">Rows per KV head without the window.</param>
    /// <param name="candidates">n, tokens before the window.</param>
    /// <param name="beta">β, at least 1.</param>
    /// <param name="layer">l, from 0.</param>
    /// <param name="layers">L, at least 2: the published division is by L − 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range.</exception>
    public static int PyramidCompat(int rows, int candidates, int beta, int layer, int layers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(beta, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(layers, 2);
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(layer, layers);
        int low = rows / beta;
        int high = checked((2 * rows) - low);
        if (high >= candidates)
        {
            high = candidates;
            low = (2 * rows) - high;
        }

        int step = FloorDivide(high - low, layers - 1);
        return high - (layer * step);
    }

    /// <summary>kvpress's pyramid for one layer, in the doubles that it uses; its rows INCLUDE the window.</summary>
    /// <remarks>
    /// kvpress 8bb29b9, <c>PyramidKVPress.get_layer_budget</c>:
    /// <code>
    /// K = T·(1 − ρ)   low = K/β   high = 2K − low   if high ≥ T − w: high = T − w, low = 2K − high
    /// T ≥ high ≥ low ≥ w  ?  round(high − l·((high − low)/(L − 1)))  :  round(K)            round: halves to even
    /// </code>
    /// </remarks>
    /// <param name="seqLen">T, prompt tokens.</param>
    /// <param name="compressionRatio">ρ, fraction removed.</param>
    /// <param name="window">w, tokens of the observation window.</param>
    /// <param name="beta">β, at least 1.</param>
    /// <param name="layer">l, from 0.</param>
    /// <param name="layers">L, at least 2 where the schedule is not flat.</param>
    public static int PyramidKvPressCompat(
        int seqLen, double compressionRatio, int window, int beta, int layer, int layers)
    {
        double kept = seqLen * (1 - compressionRatio);
        double low = kept / beta;
        double high = (kept * 2) - low;
        if (high >= seqLen - window)
        {
            high = seqLen - window;
            low = (kept * 2) - high;
        }

        bool falls = seqLen >= high && high >= low && low >= window;
        if (!falls) return (int)Math.Round(kept, MidpointRounding.ToEven);

        ArgumentOutOfRangeException.ThrowIfLessThan(layers, 2);
        return (int)Math.Round(high - (layer * ((high - low) / (layers - 1))), MidpointRounding.ToEven);
    }

    /// <summary>Rows left after removing a share of them: <c>⌊T · (1 − ρ)⌋</c>, exactly.</summary>
    /// <param name="seqLen">T, tokens.</param>
    /// <param name="compressionRatio">ρ, fraction removed, at most 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">T is negative or ρ exceeds 1.</exception>
    public static int KeepCount(int seqLen, Ratio compressionRatio)
    {
        long kept = compressionRatio.Denominator - compressionRatio.Numerator;
        ArgumentOutOfRangeException.ThrowIfNegative(kept, nameof(compressionRatio));
        return (int)new Ratio(kept, compressionRatio.Denominator).Floor(seqLen);
    }

    /// <summary>
    /// kvpress's <c>int(T * (1 - ratio))</c> in binary doubles, which loses a row for some pairs: 100 and 0.9 give
    /// 9.
    /// </summary>
    public static int KeepCountCompat(int seqLen, double compressionRatio) => (int)(seqLen * (1 - compressionRatio));

    /// <summary>A layer's rows over all heads in the removal fork of kvpress: <c>int(T * (1 - ratio) * heads)</c> in doubles.</summary>
    public static int KeepTotalCompat(int seqLen, double compressionRatio, int heads) =>
        (int)(seqLen * (1 - compressionRatio) * heads);

    /// <summary>Rows promised to each head in that fork: <c>int(T * (1 - ratio) * share)</c> in doubles.</summary>
    public static int SafeCountCompat(int seqLen, double compressionRatio, double share) =>
        (int)(seqLen * (1 - compressionRatio) * share);

    // x_l as a fraction over β·(L − 1).
    private static (long Numerator, long Denominator) Ideal(long rows, long candidates, long beta, int layer, int layers)
    {
        checked
        {
            long low = rows;
            long high = (2 * rows * beta) - low;
            if (high >= candidates * beta)
            {
                high = candidates * beta;
                low = (2 * rows * beta) - high;
            }

            return ((high * (layers - 1)) - (layer * (high - low)), beta * (layers - 1));
        }
    }

    private static int FloorDivide(int a, int b) => (a / b) - (a % b < 0 ? 1 : 0);
}
