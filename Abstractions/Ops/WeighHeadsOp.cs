using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary>Attention scores with each query head's own constant: <c>y[i, j] = C_i · x[i, j]</c>, <c>C_i = max_j ‖v_j W_i‖₁</c>.</summary>
/// <remarks>
/// Keeping the rows with the globally largest C_i A_ij minimises ε_head instead of ε; the maximum runs over all rows of the run. A host op.
/// </remarks>
/// <param name="X">F32 <c>[query_heads, len]</c>.</param>
/// <param name="Store">The rows scored.</param>
/// <param name="OutputProjection">Weight <c>[width, query_heads · head_dim]</c>.</param>
/// <param name="Y">F32 <c>[query_heads, len]</c>; entries from a run's length on are 0.</param>
/// <param name="Sequence">Sequence scored.</param>
public sealed record WeighHeadsOp(Slot X, Slot Store, Slot OutputProjection, Slot Y, Dim Sequence) : Op(Y, X, Store, OutputProjection)
{
    /// <inheritdoc/>
    public override string Parameters => $"sequence={Sequence}";
}
