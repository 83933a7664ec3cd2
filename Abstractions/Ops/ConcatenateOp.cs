using System.Collections.Immutable;
using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y[i, :] = (x₁[i, :], x₂[i, :], ...)</c>: the columns of all parts side by side; exact.</summary>
/// <param name="Parts">F32 <c>[n, width of the part]</c> each, at least one.</param>
/// <param name="Y">F32 <c>[n, sum of the widths]</c>.</param>
public sealed record ConcatenateOp(ImmutableArray<Slot> Parts, Slot Y) : Op(Y, [.. Parts]);
