using KvIL.Plans;

namespace KvIL.Ops;

/// <summary>Writes each token's key and value over the row at its position, in every KV head of its sequence.</summary>
/// <remarks>
/// Passes over the same tokens do this (Wu and Tu 2024, arXiv:2405.10637, §3.2): the rows are there since the first pass, and each pass leaves better ones.
/// Keys and values are rounded as by <see cref="AppendOp"/>. A head without a row at the position stays as it is; lengths and positions never change.
/// </remarks>
/// <param name="Store">The store before; overwritten in place.</param>
/// <param name="Keys">F32 <c>[n, kv_heads · head_dim]</c>, after RoPE.</param>
/// <param name="Values">F32 <c>[n, kv_heads · head_dim]</c>.</param>
/// <param name="Positions">I32 <c>[n]</c>, no position twice in a sequence.</param>
/// <param name="Sequences">I32 <c>[n]</c>.</param>
/// <param name="Next">The store's next version.</param>
public sealed record ReplaceRowsOp(Slot Store, Slot Keys, Slot Values, Slot Positions, Slot Sequences, Slot Next)
    : Op(Next, Store, Keys, Values, Positions, Sequences);
