using System.Diagnostics;
using System.Runtime.InteropServices;
using KvIL.Eviction;

namespace KvIL.Reference.Kernels;

/// <summary>
/// Splits a store's rows over its KV heads: <c>Σ counts = min(total, Σ n_h)</c> and <c>0 ≤ counts[h] ≤ n_h</c>,
/// always.
/// </summary>
/// <remarks>
/// Ada-KV (arXiv:2407.11550), Algorithms 1 and 2, under the order (score descending, head ascending, position ascending); the
/// integer rules are <see cref="HeadShares"/>. Linear in the candidates (four passes), plus O(H²) for a blend's remainders.
/// </remarks>
internal static class AllocateHeads
{
    /// <summary>Scratch that <see cref="Run"/> needs, in ints.</summary>
    public static int ScratchLength(int heads) => checked(heads * (ScoreOrder.Bins + 2));

    /// <summary>Computes each head's rows.</summary>
    /// <param name="scores">Candidates of <c>heads</c> heads.</param>
    /// <param name="total">B, rows of all heads together, at least 0.</param>
    /// <param name="mode">The rule.</param>
    /// <param name="floor">
    /// r of <see cref="HeadAllocation.Blend"/>, <see cref="HeadAllocation.Floor"/> and <see cref="HeadAllocation.Mask"/>, in [0, 1]; else unused.
    /// </param>
    /// <param name="counts">Out: I32 <c>[heads]</c>.</param>
    /// <param name="scratch">At least <see cref="ScratchLength"/> ints; contents do not matter.</param>
    /// <param name="protectedRows">Rows of each head beside its candidates, which <see cref="HeadAllocation.Mask"/> counts; empty for none.</param>
    public static void Run(
        CandidateScores scores, long total, HeadAllocation mode, Ratio floor, Span<int> counts, Span<int> scratch,
        ReadOnlySpan<int> protectedRows = default)
    {
        int heads = scores.Heads;
        Debug.Assert(total >= 0 && counts.Length == heads && floor.Numerator <= floor.Denominator);
        if (total >= Sum(scores.Counts))
        {
            scores.Counts.CopyTo(counts);
            return;
        }

        Level level = Level.Find(scores.Counts, total);
        Span<int> reserved = scratch[..heads];
        Span<int> above = scratch.Slice(heads, heads);
        Span<int> histogram = scratch.Slice(2 * heads, heads * ScoreOrder.Bins);
        switch (mode)
        {
            case HeadAllocation.Uniform:
                Uniform(scores.Counts, level, counts);
                break;
            case HeadAllocation.Floor:
                Reserve(scores.Counts, level, floor, reserved);
                Adaptive(scores, reserved, total, above, counts, histogram);
                break;
            case HeadAllocation.Mask:
                Mask(scores.Counts, level, floor, protectedRows, reserved);
                Adaptive(scores, reserved, total, above, counts, histogram);
                break;
            default:
                reserved.Clear();
                Adaptive(scores, reserved, total, above, counts, histogram);
                if (mode == HeadAllocation.Blend) Blend(scores.Counts, level, total, floor, counts, histogram);
                break;
        }
    }

    // B_h = min(n_h, level), and one more for the lowest heads that have room.
    private static void Uniform(ReadOnlySpan<int> candidates, Level level, Span<int> counts)
    {
        int openBefore = 0;
        for (int h = 0; h < counts.Length; h++)
        {
            counts[h] = (int)HeadShares.UniformShare(candidates[h], level.Rows, level.Spare, openBefore);
            if (candidates[h] > level.Rows) openBefore++;
        }
    }

    // m_h = ⌊r · u_h⌋
    private static void Reserve(ReadOnlySpan<int> candidates, Level level, Ratio floor, Span<int> reserved)
    {
        Debug.Assert(level.Fits(candidates, floor));
        for (int h = 0; h < reserved.Length; h++)
        {
            long uniform = HeadShares.UniformNumerator(candidates[h], level.Rows, level.Open, level.OpenRows);
            reserved[h] = (int)HeadShares.FloorRows(uniform, level.Open, floor.Numerator, floor.Denominator);
        }
    }

    // As a floor that counts protected rows, at least one row and at most the uniform share.
    private static void Mask(
        ReadOnlySpan<int> candidates, Level level, Ratio floor, ReadOnlySpan<int> protectedRows, Span<int> reserved)
    {
        Debug.Assert(level.Fits(candidates, floor));
        Uniform(candidates, level, reserved);
        for (int h = 0; h < reserved.Length; h++)
        {
            long uniform = HeadShares.UniformNumerator(candidates[h], level.Rows, level.Open, level.OpenRows);
            reserved[h] = (int)HeadShares.MaskRows(
                uniform, level.Open, floor.Numerator, floor.Denominator, protectedRows.IsEmpty ? 0 : protectedRows[h], reserved[h]);
        }
    }

    // B_h = rows of head h among the globally best, its best `reserved` rows counted first.
    private static void Adaptive(
        CandidateScores scores,
        ReadOnlySpan<int> reserved,
        long total,
        Span<int> above,
        Span<int> counts,
        Span<int> histogram)
    {
        ScoreThreshold.Find(scores, reserved, total, above, histogram);
        long remaining = total;
        for (int h = 0; h < counts.Length; h++)
        {
            counts[h] = (int)HeadShares.Claimed(reserved[h], above[h]);
            remaining -= counts[h];
        }

        for (int h = 0; h < counts.Length; h++)
        {
            long share = HeadShares.TieShare(reserved[h], above[h], histogram[h], remaining);
            counts[h] += (int)share;
            remaining -= share;
        }
    }

    // quota_h = (1 − r)·f_h + r·u_h, rounded by largest remainder; counts holds f on entry.
    private static void Blend(
        ReadOnlySpan<int> candidates, Level level, long total, Ratio floor, Span<int> counts, Span<int> histogram)
    {
        Debug.Assert(level.Fits(candidates, floor));
        Span<long> remainders = MemoryMarshal.Cast<int, long>(histogram)[..counts.Length];
        long denominator = level.Open * floor.Denominator;
        long spare = total;
        for (int h = 0; h < counts.Length; h++)
        {
            long uniform = HeadShares.UniformNumerator(candidates[h], level.Rows, level.Open, level.OpenRows);
            long numerator = HeadShares.BlendNumerator(counts[h], uniform, level.Open, floor.Numerator, floor.Denominator);
            (long rows, remainders[h]) = Math.DivRem(numerator, denominator);
            counts[h] = (int)rows;
            spare -= rows;
        }

        for (int h = 0; h < counts.Length; h++)
        {
            int before = 0;
            for (int other = 0; other < counts.Length; other++)
            {
                if (HeadShares.RemainderComesFirst(remainders[other], other, remainders[h], h)) before++;
            }

            if (before < spare) counts[h]++;
        }
    }

    private static long Sum(ReadOnlySpan<int> values)
    {
        long sum = 0;
        foreach (int value in values) sum += value;
        return sum;
    }

    /// <summary>The common level to which heads of different sizes are filled (<see cref="HeadShares"/>).</summary>
    private readonly record struct Level(long Rows, long Open, long OpenRows)
    {
        /// <summary>Rows left when every head is filled to the level.</summary>
        public long Spare => OpenRows - (Open * Rows);

        /// <summary>The largest level with Σ min(n_h, level) ≤ total, by bisection; total is less than Σ n_h.</summary>
        public static Level Find(ReadOnlySpan<int> candidates, long total)
        {
            long fits = 0;
            long tooHigh = int.MaxValue;
            while (tooHigh - fits > 1)
            {
                long middle = (fits + tooHigh) / 2;
                long filled = 0;
                foreach (int n in candidates) filled += HeadShares.Filled(n, middle);
                (fits, tooHigh) = filled <= total ? (middle, tooHigh) : (fits, middle);
            }

            long open = 0;
            foreach (int n in candidates)
            {
                if (n > fits) open++;
                else total -= n;
            }

            return new(fits, open, total);
        }

        public bool Fits(ReadOnlySpan<int> candidates, Ratio floor)
        {
            int most = 0;
            foreach (int n in candidates) most = Math.Max(most, n);
            return HeadShares.Fits(candidates.Length, most, floor.Denominator);
        }
    }
}
