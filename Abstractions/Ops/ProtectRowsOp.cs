using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary>Rows that a user wants kept: <c>y[h, j] = +∞</c> where row j stands at one of the positions, else <c>x[h, j]</c>.</summary>
/// <remarks>They count in the budget, which must have room for them. A host op. Exact.</remarks>
/// <param name="X">F32 <c>[kv_heads, len]</c>.</param>
/// <param name="Store">Store whose rows have positions.</param>
/// <param name="Positions">I32 <c>[n]</c>, ascending.</param>
/// <param name="Y">F32 <c>[kv_heads, len]</c>; entries from a run's length on are 0.</param>
/// <param name="Sequence">Sequence scored.</param>
public sealed record ProtectRowsOp(Slot X, Slot Store, Slot Positions, Slot Y, Dim Sequence) : Op(Y, X, Store, Positions)
{
    /// <inheritdoc/>
    public override string Parameters => $"sequence={Sequence}";
}
