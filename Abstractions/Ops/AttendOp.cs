using KvIL.Plans;

namespace KvIL.Ops;

/// <summary>Attention of each token over the rows of its sequence that it may see: <c>y = Σ_j softmax_j(s_j) v_j</c>.</summary>
/// <remarks>
/// Query head i reads KV head ⌊i / G⌋, G = query heads / KV heads. The rule says
/// what s_j is and which rows are visible. With no visible row, y = 0.
/// </remarks>
/// <param name="Q">F32 <c>[n, query_heads · head_dim]</c>, after RoPE.</param>
/// <param name="Store">Store that already holds the token's own row.</param>
/// <param name="Positions">I32 <c>[n]</c>.</param>
/// <param name="Sequences">I32 <c>[n]</c>, tokens of a sequence contiguous.</param>
/// <param name="Y">F32 <c>[n, query_heads · head_dim]</c>.</param>
/// <param name="Rule">How logits are made and which rows are visible.</param>
public sealed record AttendOp(Slot Q, Slot Store, Slot Positions, Slot Sequences, Slot Y, AttentionRule Rule)
    : Op(Y, Q, Store, Positions, Sequences)
{
    /// <inheritdoc/>
    public override string Parameters => Rule.ToString();
}
