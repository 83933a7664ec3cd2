using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary>Copies a store into a fresh one, keeping of one sequence only the selected rows; other sequences keep all rows and capacities.</summary>
/// <remarks>
/// Run after run without gaps: the runs of the sequence get capacity kept + slack, so the fresh pool needs exactly
/// Σ kept + heads · slack rows for it. Rows keep their order, bits and positions. Never in place: on a parallel device
/// that would race. The caller frees the old store.
/// </remarks>
/// <param name="Store">The store before; unchanged.</param>
/// <param name="Counts">I32 <c>[kv_heads]</c>: rows kept per head.</param>
/// <param name="Rows">I32 <c>[total]</c> of a <see cref="SelectRowsOp"/>.</param>
/// <param name="Next">The fresh store, another allocation than <paramref name="Store"/>.</param>
/// <param name="Sequence">Sequence evicted.</param>
/// <param name="Slack">Rows of free capacity after the kept ones of each head.</param>
public sealed record CompactOp(Slot Store, Slot Counts, Slot Rows, Slot Next, Dim Sequence, Dim Slack)
    : Op(Next, Store, Counts, Rows)
{
    /// <inheritdoc/>
    public override string Parameters => $"sequence={Sequence}, slack={Slack}";
}
