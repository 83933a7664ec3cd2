using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary>Mean attention that the last w queries pay to each row: <c>y[i, j] = (1/w) Σ_t softmax_j(s_tj)</c>, the SnapKV score before pooling.</summary>
/// <remarks>
/// SnapKV (Li et al. 2024, arXiv:2404.14469), §4; mean over the window as AdaKV and kvpress have it. Query t stands at
/// position tokens − w + t; the rule says which rows it sees, and the softmax runs over all of them, rows of the
/// window included. A query that sees no row pays no attention.
/// </remarks>
/// <param name="Window">F32 <c>[sequences, ring, query_heads · head_dim]</c> in ring order (<see cref="RememberQueriesOp"/>).</param>
/// <param name="Store">The rows scored.</param>
/// <param name="Y">F32 <c>[query_heads, len]</c>; entries from a run's length on are 0.</param>
/// <param name="Sequence">Sequence scored.</param>
/// <param name="Tokens">Tokens of the sequence seen so far, at least w.</param>
/// <param name="Queries">w, at least 1, at most the ring.</param>
/// <param name="Rule">How logits s_tj are made and which rows a query sees.</param>
public sealed record WindowScoresOp(Slot Window, Slot Store, Slot Y, Dim Sequence, Dim Tokens, Dim Queries, AttentionRule Rule)
    : Op(Y, Window, Store)
{
    /// <inheritdoc/>
    public override string Parameters =>
        $"sequence={Sequence}, tokens={Tokens}, queries={Queries}, {Rule}";
}
