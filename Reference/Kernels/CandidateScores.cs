using System.Diagnostics;

namespace KvIL.Reference.Kernels;

/// <summary>
/// The scores of the rows that may be dropped, per KV head: <c>scores[h, begins[h] .. begins[h] + counts[h]]</c>.
/// </summary>
/// <remarks>Protected rows (sinks before the range, the window after it) are simply not in it.</remarks>
/// <param name="scores">F32 <c>[heads, stride]</c>; higher is kept, NaN orders as −∞.</param>
/// <param name="stride">Scores from one head to the next.</param>
/// <param name="begins">I32 <c>[heads]</c>, first candidate.</param>
/// <param name="counts">I32 <c>[heads]</c>, n_h, number of candidates.</param>
internal readonly ref struct CandidateScores(
    ReadOnlySpan<float> scores, int stride, ReadOnlySpan<int> begins, ReadOnlySpan<int> counts)
{
    private readonly ReadOnlySpan<float> _scores = scores;
    private readonly ReadOnlySpan<int> _begins = begins;

    /// <summary>H, number of heads.</summary>
    public int Heads => Counts.Length;

    /// <summary>n_h per head.</summary>
    public ReadOnlySpan<int> Counts { get; } = counts;

    /// <summary>The candidates of one head, in ascending position.</summary>
    public ReadOnlySpan<float> this[int head]
    {
        get
        {
            Debug.Assert(_begins[head] >= 0 && Counts[head] >= 0 && _begins[head] + Counts[head] <= stride);
            return _scores.Slice((head * stride) + _begins[head], Counts[head]);
        }
    }
}
