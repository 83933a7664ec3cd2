using System.Globalization;
using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y[i, :] = x[i, :] / √(mean(x[i, :]²) + ε)</c> in groups of <c>Width</c> columns: RMSNorm without a weight.</summary>
/// <remarks>
/// Zhang and Sennrich 2019 (arXiv:1910.07467), eq. (4), with g = 1 and ε inside the root. For values of Gemma 3n and 4, and for keys that
/// layers with gains of their own share.
/// </remarks>
/// <param name="X">F32 <c>[n, groups · width]</c>.</param>
/// <param name="Y">F32 <c>[n, groups · width]</c>.</param>
/// <param name="Width">Columns that are normalised together.</param>
/// <param name="Epsilon">ε, added to the mean square.</param>
public sealed record UnitNormOp(Slot X, Slot Y, int Width, float Epsilon) : Op(Y, X)
{
    /// <inheritdoc/>
    public override string Parameters => string.Create(CultureInfo.InvariantCulture, $"width={Width}, eps={Epsilon:R}");
}
