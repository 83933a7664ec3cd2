using KvIL.Plans;

namespace KvIL.Ops;

/// <summary>Rotates the pair (a_f, b_f) of every head by the angle of frequency f: <c>y_f = a_f cos − b_f sin</c>, <c>y_{F+f} = b_f cos + a_f sin</c>.</summary>
/// <remarks>
/// Half-split, as Hugging Face checkpoints are: a_f = x_f, b_f = x_{F+f}. Interleaved, as llama2.c and GGUF's <c>llama</c> are:
/// a_f = x_{2f}, b_f = x_{2f+1}. The result is half-split in both cases; dims beyond 2F of a head pass unchanged.
/// </remarks>
/// <param name="X">F32 <c>[n, heads · head_dim]</c>.</param>
/// <param name="Rotation">F32 <c>[n, 2F]</c>, cosines then sines, of a <see cref="RotationOp"/>.</param>
/// <param name="Y">F32 <c>[n, heads · head_dim]</c>.</param>
/// <param name="HeadDim">Channels of a head, at least 2F.</param>
/// <param name="Interleaved">Whether pairs stand side by side in x.</param>
public sealed record RopeOp(Slot X, Slot Rotation, Slot Y, int HeadDim, bool Interleaved) : Op(Y, X, Rotation)
{
    /// <inheritdoc/>
    public override string Parameters => $"head_dim={HeadDim}{(Interleaved ? ", interleaved" : "")}";
}
