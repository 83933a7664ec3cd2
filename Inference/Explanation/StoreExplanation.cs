using System.Collections.Immutable;
using KvIL.Eviction;
using KvIL.Inference.Runtime;

namespace KvIL.Inference.Explanation;

/// <summary>What happened to one store.</summary>
/// <param name="Store">The store.</param>
/// <param name="Layers">The layers that read it, ascending.</param>
/// <param name="Heads">Its KV heads.</param>
public sealed record StoreExplanation(int Store, ImmutableArray<int> Layers, IReadOnlyList<HeadExplanation> Heads)
{
    /// <summary>Rows per head, on average over the heads, before rounding; null where stores were compared.</summary>
    public Ratio? Quota { get; init; }

    /// <summary>Whether scores ranked the rows; else positions did, or nothing was dropped.</summary>
    public bool ByScore { get; init; }

    /// <summary>How rows were split over the heads.</summary>
    public HeadAllocation Rule { get; init; }

    /// <summary>First rows of each head that were kept whatever their score.</summary>
    public int Sinks { get; init; }

    /// <summary>Last rows of each head that were kept whatever their score.</summary>
    public int Window { get; init; }

    /// <summary>Loss and bounds of the reading layers; empty where nothing was dropped.</summary>
    public IReadOnlyList<EvictionCost> Costs { get; init; } = [];

    /// <summary>Rows kept over all heads.</summary>
    public long Rows { get; } = Heads.Sum(head => (long)head.Rows);

    /// <summary>Rows before.</summary>
    public long All { get; } = Heads.Sum(head => (long)head.Positions.Count);

    /// <summary>Share of the sum of scores that the kept rows hold, of the rows that competed; null where a sum of scores means nothing.</summary>
    /// <remarks>It means something where scores ranked the rows, none is negative and their sum is positive and finite.</remarks>
    public double? ScoreShare { get; } = Share(Heads);

    /// <summary>Difference between the largest and the smallest budget of a head.</summary>
    public int Spread => Heads.Max(head => head.Rows) - Heads.Min(head => head.Rows);

    private static double? Share(IReadOnlyList<HeadExplanation> heads)
    {
        double all = 0, kept = 0;
        foreach (HeadExplanation head in heads)
        {
            for (int row = 0; row < head.Ranks.Count; row++)
            {
                double score = head.Ranks[row] == 0 ? 0 : head.Scores[row];
                if (head.Reasons[row] == RowReason.Recent || !(score >= 0))
                {
                    return null;
                }

                all += score;
                kept += head.IsKept(row) ? score : 0;
            }
        }

        return all > 0 && double.IsFinite(all) ? kept / all : null;
    }
}
