using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y[i, k] = x[i, first + k]</c>: columns that stand together; exact.</summary>
/// <param name="X">F32 <c>[n, at least first + width]</c>.</param>
/// <param name="Y">F32 <c>[n, width]</c>.</param>
/// <param name="First">The first column.</param>
public sealed record ColumnsOp(Slot X, Slot Y, int First) : Op(Y, X)
{
    /// <inheritdoc/>
    public override string Parameters => $"first={First}";
}
