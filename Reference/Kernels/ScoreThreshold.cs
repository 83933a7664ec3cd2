using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.Intrinsics;
using KvIL.Eviction;

namespace KvIL.Reference.Kernels;

/// <summary>Where the best rows end, found by a radix histogram in four passes over the scores and no sort.</summary>
internal static class ScoreThreshold
{
    /// <summary>The smallest key that any of the best rows has.</summary>
    /// <remarks>
    /// Digit by digit from the top, with g_h(κ) = #{j : Key(score[h, j]) ≥ κ}:
    /// <code>τ = the largest key with Σ_h max(reserved_h, g_h(τ)) ≥ total</code>
    /// With nothing reserved these are the <paramref name="total"/> globally best rows, ties at τ undecided.
    /// </remarks>
    /// <param name="scores">Candidates, in total at least <paramref name="total"/>.</param>
    /// <param name="reserved">Rows promised to each head, in sum at most <paramref name="total"/>.</param>
    /// <param name="total">Rows to give away.</param>
    /// <param name="above">Out: rows of each head with a key above τ.</param>
    /// <param name="histogram">
    /// Scratch, <c>[heads, <see cref="ScoreOrder.Bins"/>]</c>; out: its first <c>heads</c> entries are the rows at
    /// τ.
    /// </param>
    public static uint Find(
        CandidateScores scores, ReadOnlySpan<int> reserved, long total, Span<int> above, Span<int> histogram)
    {
        int heads = scores.Heads;
        uint threshold = 0;
        int digit = 0;
        above.Clear();
        for (int shift = 32 - ScoreOrder.DigitBits; shift >= 0; shift -= ScoreOrder.DigitBits)
        {
            Count(scores, threshold, shift, histogram);
            digit = LargestSufficientDigit(reserved, total, above, histogram);
            threshold |= (uint)digit << shift;
        }

        for (int h = 0; h < heads; h++) histogram[h] = histogram[(h * ScoreOrder.Bins) + digit];
        return threshold;
    }

    private static void Count(CandidateScores scores, uint prefix, int shift, Span<int> histogram)
    {
        histogram.Clear();
        for (int h = 0; h < scores.Heads; h++)
        {
            Count(scores[h], prefix, shift, histogram.Slice(h * ScoreOrder.Bins, ScoreOrder.Bins));
        }
    }

    // From the second digit on few scores match: eight at a time, most are passed over.
    private static void Count(ReadOnlySpan<float> scores, uint prefix, int shift, Span<int> bins)
    {
        // Neighbours are often alike. Two histograms let one count go on while the other is on its way through memory.
        Span<int> even = stackalloc int[ScoreOrder.Bins];
        even.Clear();
        Span<uint> keys = stackalloc uint[Vector256<uint>.Count];
        int j = 0;
        for (; j <= scores.Length - Vector256<float>.Count; j += Vector256<float>.Count)
        {
            Vector256<uint> eight = ScoreKeys.Of(Vector256.Create(scores[j..]));
            uint matches = ScoreKeys.MatchesAbove(eight, prefix, shift);
            if (matches == 0) continue;

            eight.CopyTo(keys);
            for (; matches != 0; matches &= matches - 1)
            {
                int lane = BitOperations.TrailingZeroCount(matches);
                (lane % 2 == 0 ? even : bins)[ScoreOrder.Digit(keys[lane], shift)]++;
            }
        }

        for (; j < scores.Length; j++)
        {
            uint key = ScoreOrder.Key(scores[j]);
            if (ScoreOrder.MatchesAbove(key, prefix, shift)) bins[ScoreOrder.Digit(key, shift)]++;
        }

        TensorPrimitives.Add(bins, even, bins);
    }

    // Rows of larger digits are above the threshold for good; rows of the digit returned are looked at in the next pass.
    private static int LargestSufficientDigit(
        ReadOnlySpan<int> reserved, long total, Span<int> above, ReadOnlySpan<int> histogram)
    {
        for (int digit = ScoreOrder.Bins - 1; digit > 0; digit--)
        {
            long claimed = 0;
            for (int h = 0; h < above.Length; h++)
            {
                claimed += HeadShares.Claimed(reserved[h], above[h] + histogram[(h * ScoreOrder.Bins) + digit]);
            }

            if (claimed >= total) return digit;
            for (int h = 0; h < above.Length; h++) above[h] += histogram[(h * ScoreOrder.Bins) + digit];
        }

        return 0;
    }
}
