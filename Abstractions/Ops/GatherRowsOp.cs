using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y[i, :] = x[rows[i], :]</c>: the rows whose logits somebody reads.</summary>
/// <param name="X">F32 <c>[n, width]</c>.</param>
/// <param name="Rows">I32 <c>[m]</c>, each in [0, n).</param>
/// <param name="Y">F32 <c>[m, width]</c>; exact.</param>
public sealed record GatherRowsOp(Slot X, Slot Rows, Slot Y) : Op(Y, X, Rows);
