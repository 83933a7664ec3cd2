using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y = silu(gate) · up</c>, elementwise, silu(x) = x / (1 + exp(−x)).</summary>
/// <remarks>Shazeer 2020 (arXiv:2002.05202), eq. (6).</remarks>
/// <param name="Gate">F32 <c>[n, width]</c>.</param>
/// <param name="Up">F32 <c>[n, width]</c>.</param>
/// <param name="Y">F32 <c>[n, width]</c>.</param>
public sealed record SwiGluOp(Slot Gate, Slot Up, Slot Y) : Op(Y, Gate, Up);
