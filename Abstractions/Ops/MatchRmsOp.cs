using System.Globalization;
using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y[i, :] = x[i, :] · √mean(r[i, :]²) / √max(mean(x[i, :]²), floor)</c>: each row as large as the reference's.</summary>
/// <remarks>Gemma 3n makes its streams of AltUp so, and their mean at the end (transformers' <c>modeling_gemma3n</c>).</remarks>
/// <param name="X">F32 <c>[n, width]</c>.</param>
/// <param name="Reference">F32 <c>[n, width]</c>, r.</param>
/// <param name="Y">F32 <c>[n, width]</c>.</param>
/// <param name="Floor">Least mean square of x that is divided by, above 0.</param>
public sealed record MatchRmsOp(Slot X, Slot Reference, Slot Y, float Floor) : Op(Y, X, Reference)
{
    /// <inheritdoc/>
    public override string Parameters => string.Create(CultureInfo.InvariantCulture, $"floor={Floor:R}");
}
