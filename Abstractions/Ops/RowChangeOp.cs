using KvIL.Plans;

namespace KvIL.Ops;

/// <summary>By how much a <see cref="ReplaceRowsOp"/> would change a store: <c>y = max |new − old|</c> over all channels of the keys and values that it would write.</summary>
/// <remarks>
/// New rows count as rounded to the store's type, so that 0 means that the store would stay as it is: a fixed point. 0 as well where no row would be written;
/// +∞ where a difference is no number.
/// </remarks>
/// <param name="Store">The store; stays as it is.</param>
/// <param name="Keys">F32 <c>[n, kv_heads · head_dim]</c>, after RoPE.</param>
/// <param name="Values">F32 <c>[n, kv_heads · head_dim]</c>.</param>
/// <param name="Positions">I32 <c>[n]</c>.</param>
/// <param name="Sequences">I32 <c>[n]</c>.</param>
/// <param name="Y">F32 <c>[1]</c>.</param>
public sealed record RowChangeOp(Slot Store, Slot Keys, Slot Values, Slot Positions, Slot Sequences, Slot Y)
    : Op(Y, Store, Keys, Values, Positions, Sequences);
