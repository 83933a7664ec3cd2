using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y[h, j] = (1/G) Σ_{i in group h} x[i, j]</c>: one score per KV head from those of its G query heads.</summary>
/// <remarks>The sum over the group ranks rows as the loss bound does (docs/methods.md); the mean is that sum over a constant. Summed in ascending head.</remarks>
/// <param name="X">F32 <c>[query_heads, len]</c>.</param>
/// <param name="Y">F32 <c>[kv_heads, len]</c>.</param>
public sealed record GroupMeanOp(Slot X, Slot Y) : Op(Y, X);
