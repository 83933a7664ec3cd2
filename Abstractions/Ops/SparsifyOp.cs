using System.Globalization;
using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y = max(0, x − (μ + m σ))</c>, μ and σ of the row: what stands out of it, by m standard deviations and more.</summary>
/// <remarks>
/// Gaussian top-k of Gemma 3n, after Samani et al. 2025 (arXiv:2506.06644): with m the p-quantile of the normal distribution about the share p
/// of a row of normal values becomes 0. σ² = mean((x − μ)²).
/// </remarks>
/// <param name="X">F32 <c>[n, width]</c>.</param>
/// <param name="Y">F32 <c>[n, width]</c>.</param>
/// <param name="Deviations">m.</param>
public sealed record SparsifyOp(Slot X, Slot Y, float Deviations) : Op(Y, X)
{
    /// <inheritdoc/>
    public override string Parameters => string.Create(CultureInfo.InvariantCulture, $"deviations={Deviations:R}");
}
