using System.Collections.Immutable;
using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y[i, f] = cos(positions[i] · ω_f)</c>, <c>y[i, F + f] = sin(positions[i] · ω_f)</c>: the rotations of RoPE, once for all layers.</summary>
/// <remarks>
/// Su et al. 2021 (arXiv:2104.09864), §3.2.2. The angle and its cosine and sine are taken in double and rounded once,
/// so that a far position is rotated as exactly as a near one.
/// </remarks>
/// <param name="Positions">I32 <c>[n]</c>.</param>
/// <param name="Y">F32 <c>[n, 2F]</c>.</param>
/// <param name="Frequencies">ω, F of them, radians per position.</param>
public sealed record RotationOp(Slot Positions, Slot Y, ImmutableArray<double> Frequencies) : Op(Y, Positions)
{
    /// <inheritdoc/>
    public override string Parameters => $"frequencies={Frequencies.Length}";
}
