using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary>The rows that each head keeps: its protected rows and its best candidates, ascending; heads one after another.</summary>
/// <remarks>Head h owns entries <c>Σ_{g&lt;h} counts[g]</c> to <c>Σ_{g≤h} counts[g] − 1</c>. Order of candidates: score descending, row ascending; NaN as −∞.</remarks>
/// <param name="Scores">F32 <c>[kv_heads, len]</c>.</param>
/// <param name="Counts">I32 <c>[kv_heads]</c> of an <see cref="AllocateHeadsOp"/>.</param>
/// <param name="Store">Store whose runs say how many rows each head has.</param>
/// <param name="Y">I32 <c>[total]</c>: row numbers within each head's run.</param>
/// <param name="Sequence">Sequence evicted.</param>
/// <param name="Sinks">Protected rows at the start of each run.</param>
/// <param name="Window">Protected rows at the end of each run.</param>
public sealed record SelectRowsOp(Slot Scores, Slot Counts, Slot Store, Slot Y, Dim Sequence, Dim Sinks, Dim Window)
    : Op(Y, Scores, Counts, Store)
{
    /// <inheritdoc/>
    public override string Parameters => $"sequence={Sequence}, sinks={Sinks}, window={Window}";
}
