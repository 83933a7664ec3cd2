using System.Globalization;
using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y[i, :] = weight · x[i, :] / √(mean(x[i, :]²) + ε)</c>.</summary>
/// <remarks>Zhang and Sennrich 2019 (arXiv:1910.07467), eq. (4), with ε inside the root as released models have it.</remarks>
/// <param name="X">F32 <c>[n, width]</c>.</param>
/// <param name="Weight">Weight <c>[width]</c> in its stored type.</param>
/// <param name="Y">F32 <c>[n, width]</c>.</param>
/// <param name="Epsilon">ε, added to the mean square.</param>
public sealed record RmsNormOp(Slot X, Slot Weight, Slot Y, float Epsilon) : Op(Y, X, Weight)
{
    /// <inheritdoc/>
    public override string Parameters => string.Create(CultureInfo.InvariantCulture, $"eps={Epsilon:R}");
}
