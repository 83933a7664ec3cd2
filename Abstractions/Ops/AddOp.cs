using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y = a + b</c>, elementwise: a residual connection.</summary>
/// <param name="A">F32 <c>[n, width]</c>.</param>
/// <param name="B">F32 <c>[n, width]</c>.</param>
/// <param name="Y">F32 <c>[n, width]</c>.</param>
public sealed record AddOp(Slot A, Slot B, Slot Y) : Op(Y, A, B);
