using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y[i, k] = weight[k mod width] · x[i, k]</c>: one factor for each channel, the same in every group of the weight's width.</summary>
/// <remarks>A weight <c>[1]</c> scales the whole row; a weight <c>[head_dim]</c> scales every head alike.</remarks>
/// <param name="X">F32 <c>[n, groups · width]</c>.</param>
/// <param name="Weight">Weight <c>[width]</c> in its stored type.</param>
/// <param name="Y">F32 <c>[n, groups · width]</c>.</param>
public sealed record GainOp(Slot X, Slot Weight, Slot Y) : Op(Y, X, Weight);
