using KvIL.Plans;

namespace KvIL.Ops;

/// <summary>Appends each token's key and value to the runs of its sequence: row <c>Starts[r] + Lengths[r]++</c> for every KV head.</summary>
/// <remarks>
/// Keys and values are rounded to the store's row type, to nearest even. Tokens of one sequence stand in ascending
/// position. The caller sees to it that no run exceeds its capacity; a backend drops rows beyond it rather than
/// write into another run.
/// </remarks>
/// <param name="Store">The store before; overwritten in place.</param>
/// <param name="Keys">F32 <c>[n, kv_heads · head_dim]</c>, after RoPE.</param>
/// <param name="Values">F32 <c>[n, kv_heads · head_dim]</c>.</param>
/// <param name="Positions">I32 <c>[n]</c>.</param>
/// <param name="Sequences">I32 <c>[n]</c>, tokens of a sequence contiguous.</param>
/// <param name="Next">The store's next version.</param>
public sealed record AppendOp(Slot Store, Slot Keys, Slot Values, Slot Positions, Slot Sequences, Slot Next)
    : Op(Next, Store, Keys, Values, Positions, Sequences);
