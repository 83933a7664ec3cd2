using System.Globalization;
using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y = factor · x</c>, elementwise: of embeddings, of what a block adds to the residual stream, of logits.</summary>
/// <param name="X">F32 <c>[n, width]</c>.</param>
/// <param name="Y">F32 <c>[n, width]</c>.</param>
/// <param name="Factor">The factor.</param>
public sealed record ScaleOp(Slot X, Slot Y, float Factor) : Op(Y, X)
{
    /// <inheritdoc/>
    public override string Parameters => string.Create(CultureInfo.InvariantCulture, $"factor={Factor:R}");
}
