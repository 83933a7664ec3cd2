using KvIL.Plans;

namespace KvIL.Ops;

/// <summary>Rotates the pair (x_f, x_{F+f}) of every head by the angle of frequency f: <c>y_f = x_f cos − x_{F+f} sin</c>, <c>y_{F+f} = x_{F+f} cos + x_f sin</c>.</summary>
/// <remarks>The half-split order of Hugging Face checkpoints; dims beyond 2F of a head pass unchanged.</remarks>
/// <param name="X">F32 <c>[n, heads · head_dim]</c>.</param>
/// <param name="Rotation">F32 <c>[n, 2F]</c>, cosines then sines, of a <see cref="RotationOp"/>.</param>
/// <param name="Y">F32 <c>[n, heads · head_dim]</c>.</param>
/// <param name="HeadDim">Channels of a head, at least 2F.</param>
public sealed record RopeOp(Slot X, Slot Rotation, Slot Y, int HeadDim) : Op(Y, X, Rotation)
{
    /// <inheritdoc/>
    public override string Parameters => $"head_dim={HeadDim}";
}
