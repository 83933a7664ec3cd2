using System.Globalization;
using KvIL.Plans;

namespace KvIL.Ops;

/// <summary>Sums of streams with factors of each token's own: <c>y_j[i, :] = Σ_s (offset + c[i, j·S + s]) · x_s[i, :]</c>.</summary>
/// <remarks>
/// Prediction and correction of AltUp (Baykal et al. 2023, arXiv:2301.13310, §3.2, algorithm 1), where the factors of a token come from its
/// own hidden state. S streams go in and J come out, side by side in the columns: J = 1 is a weighted sum, S = 1 a multiple for each j.
/// </remarks>
/// <param name="X">F32 <c>[n, S · width]</c>.</param>
/// <param name="Factors">F32 <c>[n, J · S]</c>, c.</param>
/// <param name="Y">F32 <c>[n, J · width]</c>.</param>
/// <param name="Streams">S.</param>
/// <param name="Offset">Added to every factor.</param>
public sealed record MixOp(Slot X, Slot Factors, Slot Y, int Streams, float Offset) : Op(Y, X, Factors)
{
    /// <inheritdoc/>
    public override string Parameters => string.Create(
        CultureInfo.InvariantCulture, $"streams={Streams}{(Offset == 0 ? "" : $", offset={Offset:R}")}");
}
