using System.Collections.Immutable;
using System.Globalization;
using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y[i, f] = m cos(positions[i] · ω_f)</c>, <c>y[i, F + f] = m sin(positions[i] · ω_f)</c>: the rotations of RoPE, once for all layers.</summary>
/// <remarks>
/// Su et al. 2021 (arXiv:2104.09864), §3.2.2; m of YaRN (arXiv:2309.00071), eq. (22). The angle, its cosine and sine, and the product
/// are taken in double and rounded once, so that a far position is rotated as exactly as a near one.
/// </remarks>
/// <param name="Positions">I32 <c>[n]</c>.</param>
/// <param name="Y">F32 <c>[n, 2F]</c>.</param>
/// <param name="Frequencies">ω, F of them, radians per position.</param>
/// <param name="Factor">m, 1 as a rule; attention logits get its square.</param>
public sealed record RotationOp(Slot Positions, Slot Y, ImmutableArray<double> Frequencies, double Factor) : Op(Y, Positions)
{
    /// <inheritdoc/>
    public override string Parameters => string.Create(
        CultureInfo.InvariantCulture, $"frequencies={Frequencies.Length}{(Factor == 1 ? "" : $", factor={Factor:R}")}");
}
