using KvIL.Plans;

namespace KvIL.Ops;

/// <summary>Keeps the last w queries of each sequence: <c>window[s, p mod w, :] = q</c> for the token of sequence s at position p.</summary>
/// <remarks>Ring order, so that any split of the tokens into calls leaves the same state. Exact.</remarks>
/// <param name="Window">F32 <c>[sequences, w, query_heads · head_dim]</c>; overwritten in place.</param>
/// <param name="Q">F32 <c>[n, query_heads · head_dim]</c>, after RoPE.</param>
/// <param name="Positions">I32 <c>[n]</c>.</param>
/// <param name="Sequences">I32 <c>[n]</c>, tokens of a sequence contiguous and ascending in position.</param>
/// <param name="Next">The window's next version.</param>
public sealed record RememberQueriesOp(Slot Window, Slot Q, Slot Positions, Slot Sequences, Slot Next)
    : Op(Next, Window, Q, Positions, Sequences);
