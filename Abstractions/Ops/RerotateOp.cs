using System.Globalization;
using KvIL.Eviction.Scores;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary>Rows moved to consecutive positions: row j of each run gets position j, its key turned there from where it stood.</summary>
/// <remarks>
/// StreamingLLM (arXiv:2309.17453), §3.2: positions inside the cache; kvpress, <c>KeyRerotationPress</c>. For channels f and f + F:
/// <code>(k_f, k_{f+F}) turned by (j − p_j) · ω_f,  p_j = j</code>
/// The angle and its cosine and sine are taken in double; the key is rounded once to the row type. A row that stays is not touched. A host op.
/// </remarks>
/// <param name="Store">The store; overwritten in place.</param>
/// <param name="Next">Its next version.</param>
/// <param name="Sequence">Sequence moved.</param>
/// <param name="Rotary">RoPE of the layer that owns the store; its factor is in the keys already.</param>
public sealed record RerotateOp(Slot Store, Slot Next, Dim Sequence, Rotary Rotary) : Op(Next, Store)
{
    /// <inheritdoc/>
    public override string Parameters => string.Create(
        CultureInfo.InvariantCulture, $"sequence={Sequence}, frequencies={Rotary.Frequencies.Length}");
}
