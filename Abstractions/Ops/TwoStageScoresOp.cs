using KvIL.Eviction;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary>CriticalKV's second stage: the first half of a head's budget by its scores, the rest by scores times what the row adds to the output.</summary>
/// <remarks>
/// CriticalKV (arXiv:2502.03805), Theorem 3.3 and Algorithm 1. With p_h protected rows among the counts[h] to keep, and at least
/// n_h of them by x because they were promised to the head, the best <c>max(0, max(⌊counts[h]/2⌋, n_h) − p_h)</c> candidates by x get +∞;
/// every other candidate gets
/// <code>y[h, j] = (x[h, j] + ε) · mean_{i in h} ‖v_j W_i‖₁            n_h = max(1, ⌊r · total/heads⌋) where r &gt; 0, else 0</code>
/// The promise is that of kvpress's CriticalAdaKV, whose guaranteed rows win the first stage. A host op.
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
/// <param name="Total">Rows kept over all heads.</param>
/// <param name="Promised">r, the share of a head's mean rows that it was promised; 0 for none.</param>
public sealed record TwoStageScoresOp(
    Slot X, Slot Counts, Slot Store, Slot OutputProjection, Slot Y, Dim Sequence, Dim Sinks, Dim Window, Ratio Epsilon, Dim Total,
    Ratio Promised)
    : Op(Y, X, Counts, Store, OutputProjection)
{
    /// <inheritdoc/>
    public override string Parameters => $"sequence={Sequence}, sinks={Sinks}, window={Window}, epsilon={Epsilon}{(Promised == default ? "" : $", total={Total}, promised={Promised}")}";
}
