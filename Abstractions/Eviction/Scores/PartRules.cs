namespace KvIL.Eviction.Scores;

/// <summary>The best rows of every piece of a run, each piece scored for itself.</summary>
/// <remarks>
/// kvpress, <c>ChunkPress</c>. Rows that compete, in pieces of n from the first one; the last may be short. The row that is number r of its
/// piece by the inner score, r from 0, ties to the lower row, gets
/// <code>s[j] = −(r + 1/2) / n_piece</code>
/// so that the best of all pieces are taken in turn: B rows are divided over pieces in proportion to their length, rounded by Webster's
/// method, ties to the earlier piece. The published code keeps max(1, ⌊share · n⌋) of each, which need not sum to the budget.
/// </remarks>
/// <param name="Inner">The score of a piece; reads rows alone.</param>
/// <param name="Length">n, at least 1.</param>
public sealed record PiecesScore(ScoreRule Inner, int Length) : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => Inner.Needs;
}

/// <summary>A kept set that meets one block of rows after the other, each time scored anew with what was kept so far.</summary>
/// <remarks>
/// KeyDiff (arXiv:2504.15364), block-wise eviction; kvpress, <c>BlockPress</c>. Of the rows that compete, K the first ones, as many as the head keeps:
/// <code>for each block N of n that follow: K ← the best |K| of K ∪ N by the inner score of these rows alone        s[j] = [j in K]</code>
/// ties to the lower row; the last block may be short. The rows depend on the budget, unlike those of other scores.
/// </remarks>
/// <param name="Inner">The score of the rows at hand; reads rows alone.</param>
/// <param name="Length">n, at least 1.</param>
public sealed record BlocksScore(ScoreRule Inner, int Length) : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => Inner.Needs;
}
