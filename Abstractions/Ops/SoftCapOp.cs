using System.Globalization;
using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y = c · tanh(x / c)</c>, elementwise: logits stay within ±c.</summary>
/// <remarks>Bello et al. 2016 (arXiv:1611.09940), appendix A.1; Gemma team 2024 (arXiv:2408.00118), §2.</remarks>
/// <param name="X">F32 <c>[n, width]</c>.</param>
/// <param name="Y">F32 <c>[n, width]</c>.</param>
/// <param name="Cap">c &gt; 0.</param>
public sealed record SoftCapOp(Slot X, Slot Y, float Cap) : Op(Y, X)
{
    /// <inheritdoc/>
    public override string Parameters => string.Create(CultureInfo.InvariantCulture, $"cap={Cap:R}");
}
