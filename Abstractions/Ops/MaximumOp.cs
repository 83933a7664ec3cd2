using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y = max(a, b)</c>, elementwise, NaN as −∞: joins the scores of two layers that read one store.</summary>
/// <param name="A">F32 <c>[heads, len]</c>.</param>
/// <param name="B">F32 <c>[heads, len]</c>.</param>
/// <param name="Y">F32 <c>[heads, len]</c>; exact, never NaN.</param>
public sealed record MaximumOp(Slot A, Slot B, Slot Y) : Op(Y, A, B);
