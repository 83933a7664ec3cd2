using KvIL.Eviction;

namespace KvIL.Inference.Explanation;

/// <summary>Why a row stayed or went; the first that holds, in this order.</summary>
public enum RowReason
{
    /// <summary>Kept: the store keeps every row.</summary>
    Whole,

    /// <summary>Kept whatever its score: one of the last rows.</summary>
    Window,

    /// <summary>Kept whatever its score: one of the first rows.</summary>
    Sink,

    /// <summary>Kept whatever its score: the user said so.</summary>
    Protected,

    /// <summary>Kept for its score.</summary>
    Score,

    /// <summary>Kept for its age, where positions rank the rows.</summary>
    Recent,

    /// <summary>Dropped: its rank is beyond the head's rows.</summary>
    Dropped,
}

/// <summary>What happened to the rows of one KV head; a row is an index into the four lists.</summary>
/// <param name="Head">The KV head.</param>
/// <param name="Quota">Its rows before rounding.</param>
/// <param name="Rows">Its rows.</param>
/// <param name="Positions">Position of each row in the prompt, ascending.</param>
/// <param name="Scores">The score that ranked each row; of those kept whatever their score it does not matter.</param>
/// <param name="Ranks">Rank of each row among those that competed in the head, the best is 1; 0 for a row that did not.</param>
/// <param name="Reasons">Why each row stayed or went.</param>
public sealed record HeadExplanation(
    int Head, HeadQuota Quota, int Rows, IReadOnlyList<int> Positions, IReadOnlyList<float> Scores, IReadOnlyList<int> Ranks, IReadOnlyList<RowReason> Reasons)
{
    /// <summary>Rows that competed: all but sinks, window and those that the user protects.</summary>
    public int Ranked { get; } = Ranks.Count(rank => rank > 0);

    /// <summary>Rows that competed and stayed; the ranks up to it.</summary>
    public int KeptByRank { get; } = Reasons.Count(reason => reason is RowReason.Score or RowReason.Recent);

    /// <summary>The row at the cut: the last that stayed for its rank; null where none did.</summary>
    public int? Last => KeptByRank == 0 ? null : RowAt(KeptByRank);

    /// <summary>Score of the last row that stayed for its rank; null where none did.</summary>
    public float? Cut => Last is int row ? Scores[row] : null;

    /// <summary>The row of a rank.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No row has it.</exception>
    public int RowAt(int rank)
    {
        for (int row = 0; row < Ranks.Count; row++)
        {
            if (Ranks[row] == rank)
            {
                return row;
            }
        }

        throw new ArgumentOutOfRangeException(nameof(rank), rank, $"expected 1 to {Ranked}.");
    }

    /// <summary>Whether a row stayed.</summary>
    public bool IsKept(int row) => Reasons[row] != RowReason.Dropped;
}
