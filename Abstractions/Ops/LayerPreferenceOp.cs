using System.Globalization;
using KvIL.Eviction;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary>CAKE's preference of a layer: dispersion times shift of the attention of its last queries, <c>y = H^{1/τ₁} · V^{1/τ₂}</c>.</summary>
/// <remarks>
/// CAKE (arXiv:2503.12491):
/// <code>H = −Σ a ln(a + 1e-10)      V = Σ var_t a        over query heads, the last w queries, and the rows before the last w</code>
/// var with w − 1; in double, rounded once. A host op.
/// </remarks>
/// <param name="Window">F32 <c>[sequences, ring, query_heads · head_dim]</c> in ring order.</param>
/// <param name="Store">The rows attended to.</param>
/// <param name="Y">F32 <c>[1]</c>.</param>
/// <param name="Sequence">Sequence measured.</param>
/// <param name="Tokens">Tokens of the sequence seen so far, at least w.</param>
/// <param name="Queries">w, at most the ring.</param>
/// <param name="Attention">How logits are made and which rows a query sees.</param>
public sealed record LayerPreferenceOp(Slot Window, Slot Store, Slot Y, Dim Sequence, Dim Tokens, Dim Queries, AttentionRule Attention)
    : Op(Y, Window, Store)
{
    /// <summary>τ₁ and τ₂, as CAKE has them by default.</summary>
    public (Ratio Dispersion, Ratio Shift) Tau { get; init; } = (new(1, 1), new(1, 1));

    /// <inheritdoc/>
    public override string Parameters => string.Create(
        CultureInfo.InvariantCulture, $"sequence={Sequence}, tokens={Tokens}, queries={Queries}, tau={Tau.Dispersion}/{Tau.Shift}, {Attention}");
}
