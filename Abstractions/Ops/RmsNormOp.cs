using System.Globalization;
using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y[i, :] = (offset + weight) · x[i, :] / √(mean(x[i, :]²) + ε)</c>; a row wider than the weight is normalised in groups of the weight's width.</summary>
/// <remarks>
/// Zhang and Sennrich 2019 (arXiv:1910.07467), eq. (4), with ε inside the root as released models have it. With the weight
/// <c>[head_dim]</c> and x <c>[n, heads · head_dim]</c> each head is normalised by itself.
/// </remarks>
/// <param name="X">F32 <c>[n, groups · width]</c>.</param>
/// <param name="Weight">Weight <c>[width]</c> in its stored type.</param>
/// <param name="Y">F32 <c>[n, groups · width]</c>.</param>
/// <param name="Epsilon">ε, added to the mean square.</param>
/// <param name="WeightOffset">Added to the weight: 1 where a checkpoint stores w and means 1 + w.</param>
public sealed record RmsNormOp(Slot X, Slot Weight, Slot Y, float Epsilon, float WeightOffset) : Op(Y, X, Weight)
{
    /// <inheritdoc/>
    public override string Parameters => string.Create(
        CultureInfo.InvariantCulture, $"eps={Epsilon:R}{(WeightOffset == 0 ? "" : $", offset={WeightOffset:R}")}");
}
