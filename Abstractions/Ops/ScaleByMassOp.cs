using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary>Scores scaled, for the split over heads, by the share of a head's score that its best rows hold: <c>y[h, j] = x[h, j] · Σ_{best b} x[h] / Σ x[h]</c>.</summary>
/// <remarks>
/// AdaKV's <c>normalize</c>. b is the uniform share in whole rows, <c>⌊(total − protected)/heads⌋</c>, at most the head's candidates; sums run
/// over the candidates, in double. A sum that is not positive, or not finite, leaves the head's scores as they are. A host op.
/// </remarks>
/// <param name="X">F32 <c>[kv_heads, len]</c>.</param>
/// <param name="Store">Store whose runs say how many rows each head has.</param>
/// <param name="Y">F32 <c>[kv_heads, len]</c>; protected rows and entries from a run's length on are 0.</param>
/// <param name="Sequence">Sequence evicted.</param>
/// <param name="Total">Rows over all heads, protected ones included.</param>
/// <param name="Sinks">Protected rows at the start of each run.</param>
/// <param name="Window">Protected rows at the end of each run.</param>
public sealed record ScaleByMassOp(Slot X, Slot Store, Slot Y, Dim Sequence, Dim Total, Dim Sinks, Dim Window) : Op(Y, X, Store)
{
    /// <inheritdoc/>
    public override string Parameters => $"sequence={Sequence}, total={Total}, sinks={Sinks}, window={Window}";
}
