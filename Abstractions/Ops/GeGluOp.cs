using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y = gelu(gate) · up</c>, elementwise, gelu(x) = x/2 · (1 + tanh u) with u = √(2/π) (x + 0.044715 x³).</summary>
/// <remarks>
/// Shazeer 2020 (arXiv:2002.05202), eq. (6), with the tanh form of Hendrycks and Gimpel 2016 (arXiv:1606.08415), §2, which is
/// <c>x / (1 + exp(−2u))</c>.
/// </remarks>
/// <param name="Gate">F32 <c>[n, width]</c>.</param>
/// <param name="Up">F32 <c>[n, width]</c>.</param>
/// <param name="Y">F32 <c>[n, width]</c>.</param>
public sealed record GeGluOp(Slot Gate, Slot Up, Slot Y) : Op(Y, Gate, Up);
