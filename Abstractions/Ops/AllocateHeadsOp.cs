using KvIL.Eviction;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary>Divides a total of rows among the KV heads of a store: <c>y[h]</c> rows for head h, <c>Σ y = min(total, rows held)</c> exactly.</summary>
/// <remarks>
/// Ada-KV (Feng et al. 2024, arXiv:2407.11550), algorithm 1 and the safeguard of algorithm 2, in exact integers
/// (docs/methods.md). The first <paramref name="Sinks"/> and the last <paramref name="Window"/> rows of a run are protected: they count in the
/// total and are no candidates. Order: score descending, head ascending, position ascending; NaN as −∞.
/// </remarks>
/// <param name="Scores">F32 <c>[kv_heads, len]</c>.</param>
/// <param name="Store">Store whose runs say how many rows each head has.</param>
/// <param name="Y">I32 <c>[kv_heads]</c>: rows to keep, protected rows included.</param>
/// <param name="Sequence">Sequence evicted.</param>
/// <param name="Total">Rows over all heads, at least the protected ones.</param>
/// <param name="Sinks">Protected rows at the start of each run.</param>
/// <param name="Window">Protected rows at the end of each run.</param>
/// <param name="Rule">How candidates are divided.</param>
/// <param name="FloorShare">Uniform share of a blend, or guaranteed share of a floor.</param>
public sealed record AllocateHeadsOp(
    Slot Scores, Slot Store, Slot Y, Dim Sequence, Dim Total, Dim Sinks, Dim Window, HeadAllocation Rule, Ratio FloorShare)
    : Op(Y, Scores, Store)
{
    /// <inheritdoc/>
    public override string Parameters =>
        $"sequence={Sequence}, total={Total}, sinks={Sinks}, window={Window}, {Rule}, floor={FloorShare}";
}
