using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary><c>y[h, j]</c> = position of row j of head h: the newest rows are kept.</summary>
/// <remarks>StreamingLLM (Xiao et al. 2023, arXiv:2309.17453), §3.2, together with protected sinks. Exact below 2²⁴ tokens.</remarks>
/// <param name="Store">The rows scored.</param>
/// <param name="Y">F32 <c>[kv_heads, len]</c>; entries from a run's length on are 0.</param>
/// <param name="Sequence">Sequence scored.</param>
public sealed record RecencyScoresOp(Slot Store, Slot Y, Dim Sequence) : Op(Y, Store)
{
    /// <inheritdoc/>
    public override string Parameters => $"sequence={Sequence}";
}
