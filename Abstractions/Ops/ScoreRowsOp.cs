using System.Globalization;
using KvIL.Eviction.Scores;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary>Scores of the rows of a store by a published rule or a user's own: <c>y[h, j]</c>, higher is kept.</summary>
/// <remarks>
/// The rule's record has the equation. A host op: it runs where a backend runs C# on the CPU. Only candidates need a score: what the
/// protected rows get does not matter.
/// </remarks>
/// <param name="Rule">Which score.</param>
/// <param name="Store">The rows scored.</param>
/// <param name="Window">F32 <c>[sequences, ring, query_heads · head_dim]</c> in ring order, the queries; null where the rule needs none.</param>
/// <param name="OutputProjection">Weight <c>[width, query_heads · head_dim]</c>; null where the rule needs none.</param>
/// <param name="Y">F32 <c>[kv_heads, len]</c>; entries from a run's length on are 0.</param>
/// <param name="Sequence">Sequence scored.</param>
/// <param name="Tokens">Tokens of the sequence seen so far.</param>
/// <param name="Queries">How many of the last queries are at hand, at most the ring; 0 where the rule needs none.</param>
/// <param name="Sinks">Protected rows at the start of each run.</param>
/// <param name="Protected">Protected rows at the end of each run.</param>
/// <param name="Attention">How logits are made and which rows a query sees.</param>
/// <param name="Rotary">RoPE of the layer, for rules that look before it.</param>
/// <param name="Counts">I32 <c>[kv_heads]</c>, rows that each head keeps; null for rules that do not depend on them.</param>
public sealed record ScoreRowsOp(
    ScoreRule Rule, Slot Store, Slot? Window, Slot? OutputProjection, Slot Y, Dim Sequence, Dim Tokens, Dim Queries, Dim Sinks,
    Dim Protected, AttentionRule Attention, Rotary Rotary, Slot? Counts = null)
    : Op(Y, [.. new[] { Store, Window, OutputProjection, Counts }.OfType<Slot>()])
{
    /// <inheritdoc/>
    public override string Parameters => string.Create(
        CultureInfo.InvariantCulture,
        $"{Rule}, sequence={Sequence}, tokens={Tokens}, queries={Queries}, sinks={Sinks}, window={Protected}, {Attention}");
}
