using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary>What evicting costs the last query of a layer: the L1 loss and the bounds on it, <c>y = [L, θ, ε_head, ε]</c>, L ≤ θ ≤ ε_head ≤ ε.</summary>
/// <remarks>
/// Ada-KV (Feng et al. 2024, arXiv:2407.11550), §3: with A_i the attention of query head i over all rows, F_i its part on
/// kept rows, u_j = v_j W_i and C_i = max_j ‖u_j‖₁:
/// <code>
/// L = ‖Σ_i Σ_j (A_ij − [j kept] A_ij / F_i) u_j‖₁         θ = Σ_i [Σ_{j dropped} A_ij ‖u_j‖₁ + (1/F_i − 1) Σ_{j kept} A_ij ‖u_j‖₁]
/// ε_head = 2 Σ_i C_i (1 − F_i)                            ε = 2 max_i C_i · Σ_i (1 − F_i)
/// </code>
/// 1 − F_i is summed over the dropped rows. A head that keeps nothing counts as F_i = 0 with attention 0.
/// </remarks>
/// <param name="Window">F32 <c>[sequences, w, query_heads · head_dim]</c> in ring order; its newest query is measured.</param>
/// <param name="Store">The store before compaction.</param>
/// <param name="Counts">I32 <c>[kv_heads]</c>: rows kept per head.</param>
/// <param name="Rows">I32 <c>[total]</c>: rows kept.</param>
/// <param name="OutputProjection">Weight <c>[width, query_heads · head_dim]</c>; W_i is the transpose of its columns of head i.</param>
/// <param name="Y">F32 <c>[4]</c>.</param>
/// <param name="Sequence">Sequence measured.</param>
/// <param name="Tokens">Tokens of the sequence seen so far.</param>
/// <param name="Rule">How logits are made and which rows the query sees; a row that it does not see has A_ij = 0.</param>
public sealed record EvictionLossOp(
    Slot Window, Slot Store, Slot Counts, Slot Rows, Slot OutputProjection, Slot Y, Dim Sequence, Dim Tokens, AttentionRule Rule)
    : Op(Y, Window, Store, Counts, Rows, OutputProjection)
{
    /// <inheritdoc/>
    public override string Parameters =>
        $"sequence={Sequence}, tokens={Tokens}, {Rule}";
}
