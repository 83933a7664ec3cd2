using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y[i, :] = table[tokens[i], :]</c>: the embedding of each token.</summary>
/// <param name="Table">Weight <c>[vocabulary, width]</c> in its stored type.</param>
/// <param name="Tokens">I32 <c>[n]</c>, each in [0, vocabulary).</param>
/// <param name="Y">F32 <c>[n, width]</c>; exact.</param>
public sealed record EmbedOp(Slot Table, Slot Tokens, Slot Y) : Op(Y, Table, Tokens);
