using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y[i] = tokens[i]</c> where that is below the limit, else 0: for a table that has fewer rows than the vocabulary.</summary>
/// <param name="Tokens">I32 <c>[n]</c>, not negative.</param>
/// <param name="Y">I32 <c>[n]</c>, each in [0, limit).</param>
/// <param name="Limit">Rows of the table, at least 1.</param>
public sealed record KnownTokensOp(Slot Tokens, Slot Y, int Limit) : Op(Y, Tokens)
{
    /// <inheritdoc/>
    public override string Parameters => $"limit={Limit}";
}
