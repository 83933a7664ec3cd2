using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Ops;

/// <summary>ChunkKV: every row of a chunk gets the chunk's mean, summed over the heads, so that chunks are kept whole and alike by all heads.</summary>
/// <remarks>
/// ChunkKV (arXiv:2502.00299), Algorithm 1. Candidates in chunks of c, counted from the first candidate; the last may be short:
/// <code>y[h, j] = Σ_g mean of x[g, j'] over the rows j' of j's chunk that head g has</code>
/// in double, rounded once; a head that has none gives 0. With budgets that end inside a chunk its first rows are kept: the total is exact
/// where the published code keeps whole chunks. A host op.
/// </remarks>
/// <param name="X">F32 <c>[kv_heads, len]</c>.</param>
/// <param name="Store">Store whose runs say how many rows each head has.</param>
/// <param name="Y">F32 <c>[kv_heads, len]</c>; protected rows and entries from a run's length on are 0.</param>
/// <param name="Sequence">Sequence scored.</param>
/// <param name="Sinks">Protected rows at the start of each run.</param>
/// <param name="Window">Protected rows at the end of each run.</param>
/// <param name="Chunk">c, at least 1.</param>
public sealed record ChunkScoresOp(Slot X, Slot Store, Slot Y, Dim Sequence, Dim Sinks, Dim Window, int Chunk) : Op(Y, X, Store)
{
    /// <inheritdoc/>
    public override string Parameters => $"sequence={Sequence}, sinks={Sinks}, window={Window}, chunk={Chunk}";
}
