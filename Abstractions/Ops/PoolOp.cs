using KvIL.Eviction;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary>Pools scores over neighbouring rows with stride 1: <c>y[h, j] = pool(x[h, j − k/2 .. j + k/2])</c>.</summary>
/// <remarks>
/// Only the first length − window rows of each run take part: window rows are not scored. Max pads with −∞ and orders NaN
/// as −∞; average pads with zeros and always divides by k, summed in ascending row. Entries beyond are 0.
/// </remarks>
/// <param name="X">F32 <c>[heads, len]</c>, heads a multiple of the store's KV heads.</param>
/// <param name="Store">Store whose runs say how many rows each head has.</param>
/// <param name="Y">F32 <c>[heads, len]</c>.</param>
/// <param name="Sequence">Sequence scored.</param>
/// <param name="Window">Last rows of each run that are not scored.</param>
/// <param name="Kind">Max or average.</param>
/// <param name="Kernel">k, odd.</param>
public sealed record PoolOp(Slot X, Slot Store, Slot Y, Dim Sequence, Dim Window, PoolKind Kind, int Kernel) : Op(Y, X, Store)
{
    /// <inheritdoc/>
    public override string Parameters => $"sequence={Sequence}, window={Window}, {Kind}, kernel={Kernel}";
}
