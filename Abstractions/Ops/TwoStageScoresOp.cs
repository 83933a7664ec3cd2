using KvIL.Eviction;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary>CriticalKV's second stage: the first half of a head's budget by its scores, the rest by scores times what the row adds to the output.</summary>
/// <remarks>
/// CriticalKV (arXiv:2502.03805), Theorem 3.3 and Algorithm 1. With p_h protected rows among the counts[h] to keep, the best
/// <c>max(0, ⌊counts[h]/2⌋ − p_h)</c> candidates by x get +∞; every other candidate gets
/// <code>y[h, j] = (x[h, j] + ε) · mean_{i in h} ‖v_j W_i‖₁</code>
/// A host op.
/// </remarks>
/// <param name="X">F32 <c>[kv_heads, len]</c>, scores of the first stage.</param>
/// <param name="Counts">I32 <c>[kv_heads]</c>: rows that each head will keep, protected ones included.</param>
/// <param name="Store">The rows scored.</param>
/// <param name="OutputProjection">Weight <c>[width, query_heads · head_dim]</c>.</param>
/// <param name="Y">F32 <c>[kv_heads, len]</c>; protected rows and entries from a run's length on are 0.</param>
/// <param name="Sequence">Sequence evicted.</param>
/// <param name="Sinks">Protected rows at the start of each run.</param>
/// <param name="Window">Protected rows at the end of each run.</param>
/// <param name="Epsilon">ε, so that rows without attention are still ranked by their norm.</param>
public sealed record TwoStageScoresOp(
    Slot X, Slot Counts, Slot Store, Slot OutputProjection, Slot Y, Dim Sequence, Dim Sinks, Dim Window, Ratio Epsilon)
    : Op(Y, X, Counts, Store, OutputProjection)
{
    /// <inheritdoc/>
    public override string Parameters => $"sequence={Sequence}, sinks={Sinks}, window={Window}, epsilon={Epsilon}";
}
