using KvIL.Ops;
using KvIL.Tensors;

namespace KvIL.Plans;

public sealed partial class PlanBuilder
{
    /// <inheritdoc cref="ColumnsOp"/>
    public Slot Columns(Slot x, int first, int width)
    {
        (Dim n, Dim columns) = ExpectMatrix(x);
        Require(first >= 0 && width > 0 && first <= columns.Max - width, $"expected columns within {columns}, got {width} from {first} on.", nameof(first));
        return Add(new ColumnsOp(x, F32(n, width), first));
    }

    /// <inheritdoc cref="ConcatenateOp"/>
    public Slot Concatenate(params ReadOnlySpan<Slot> parts)
    {
        Require(parts.Length > 0, "expected at least one part, got none.", nameof(parts));
        (Dim n, _) = ExpectMatrix(parts[0], nameof(parts));
        int width = 0;
        foreach (Slot part in parts)
        {
            (Dim rows, Dim columns) = ExpectMatrix(part, nameof(parts));
            Require(rows == n, $"expected parts of {n} rows, got {rows}.", nameof(parts));
            width = checked(width + columns.Max);
        }

        return Add(new ConcatenateOp([.. parts], F32(n, width)));
    }

    /// <inheritdoc cref="MixOp"/>
    public Slot Mix(Slot x, Slot factors, int streams, float offset = 0)
    {
        (Dim n, Dim width) = ExpectMatrix(x);
        (Dim rows, Dim count) = ExpectMatrix(factors);
        Require(rows == n, $"expected factors of {n} rows, got {rows}.", nameof(factors));
        Require(streams > 0 && width.Max % streams == 0, $"expected a divisor of {width}, got {streams}.", nameof(streams));
        Require(count.Max > 0 && count.Max % streams == 0, $"expected a multiple of {streams} factors, got {count}.", nameof(factors));
        return Add(new MixOp(x, factors, F32(n, checked(count.Max / streams * (width.Max / streams))), streams, offset));
    }

    /// <inheritdoc cref="MatchRmsOp"/>
    public Slot MatchRms(Slot x, Slot reference, float floor)
    {
        (Dim n, Dim width) = ExpectMatrix(x);
        Expect(reference, DType.F32, [n, width]);
        Require(float.IsFinite(floor) && floor > 0, $"expected a finite floor above 0, got {floor}.", nameof(floor));
        return Add(new MatchRmsOp(x, reference, F32(n, width), floor));
    }

    /// <inheritdoc cref="SparsifyOp"/>
    public Slot Sparsify(Slot x, float deviations)
    {
        (Dim n, Dim width) = ExpectMatrix(x);
        Require(float.IsFinite(deviations), $"expected a finite number of deviations, got {deviations}.", nameof(deviations));
        return Add(new SparsifyOp(x, F32(n, width), deviations));
    }

    /// <inheritdoc cref="KnownTokensOp"/>
    public Slot KnownTokens(Slot tokens, int limit)
    {
        Dim n = ExpectIndices(tokens, nameof(tokens));
        Require(limit > 0, $"expected a limit of at least 1, got {limit}.", nameof(limit));
        return Add(new KnownTokensOp(tokens, NewSlot("", new TensorSpec(DType.I32, n)), limit));
    }
}
