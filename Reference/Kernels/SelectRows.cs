using System.Diagnostics;
using System.Numerics;
using System.Runtime.Intrinsics;
using KvIL.Eviction;

namespace KvIL.Reference.Kernels;

/// <summary>The rows of one head that stay: the protected ones and the best candidates, in ascending order.</summary>
/// <remarks>
/// <code>
/// rows = [0, begin)  ∪  the keep best of [begin, begin + count)  ∪  [begin + count, length)
/// </code>
/// Best under (score descending, position ascending); NaN orders as −∞. Linear in the run: four passes and a copy.
/// </remarks>
internal static class SelectRows
{
    /// <summary>Writes the kept rows and returns how many: <c>length − count + keep</c>.</summary>
    /// <param name="scores">F32 <c>[length]</c> or longer; only candidates are read.</param>
    /// <param name="begin">First candidate: the sinks stand before it.</param>
    /// <param name="count">Candidates: the window stands behind them.</param>
    /// <param name="length">Rows of the run.</param>
    /// <param name="keep">Candidates to keep, from 0 to <paramref name="count"/>.</param>
    /// <param name="rows">Out: I32, strictly ascending row numbers inside the run.</param>
    public static int Run(ReadOnlySpan<float> scores, int begin, int count, int length, int keep, Span<int> rows)
    {
        Debug.Assert(begin >= 0 && count >= 0 && begin + count <= length && keep >= 0 && keep <= count);
        int written = 0;
        for (int row = 0; row < begin; row++) rows[written++] = row;

        ReadOnlySpan<float> candidates = scores.Slice(begin, count);
        uint threshold = Threshold(candidates, keep, out int ties);
        int j = 0;
        for (; j <= count - Vector256<float>.Count; j += Vector256<float>.Count)
        {
            Vector256<uint> keys = ScoreKeys.Of(Vector256.Create(candidates[j..]));
            uint reach = Vector256.GreaterThanOrEqual(keys, Vector256.Create(threshold)).ExtractMostSignificantBits();
            for (; reach != 0; reach &= reach - 1)
            {
                int lane = BitOperations.TrailingZeroCount(reach);
                if (keys[lane] > threshold || ties-- > 0) rows[written++] = begin + j + lane;
            }
        }

        for (; j < count; j++)
        {
            uint key = ScoreOrder.Key(candidates[j]);
            if (key > threshold || (key == threshold && ties-- > 0)) rows[written++] = begin + j;
        }

        for (int row = begin + count; row < length; row++) rows[written++] = row;
        Debug.Assert(written == length - count + keep);
        return written;
    }

    // The lowest key kept, and how many of the rows that have it.
    private static uint Threshold(ReadOnlySpan<float> candidates, int keep, out int ties)
    {
        Span<int> histogram = stackalloc int[ScoreOrder.Bins];
        Span<int> above = stackalloc int[1];
        var scores = new CandidateScores(candidates, candidates.Length, [0], [candidates.Length]);
        uint threshold = ScoreThreshold.Find(scores, [0], keep, above, histogram);
        ties = keep - above[0];
        return threshold;
    }
}
