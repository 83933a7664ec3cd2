using System.Collections.Immutable;
using KvIL.Ops;
using KvIL.Tensors;

namespace KvIL.Plans;

public sealed partial class PlanBuilder
{
    /// <inheritdoc cref="EmbedOp"/>
    public Slot Embed(Slot table, Slot tokens)
    {
        ArgumentNullException.ThrowIfNull(table);
        ExpectStored(table, [table.Tensor.Shape[0], table.Tensor.Shape[^1]]);
        Dim n = ExpectIndices(tokens, nameof(tokens));
        return Add(new EmbedOp(table, tokens, F32(n, table.Tensor.Shape[1])));
    }

    /// <inheritdoc cref="RmsNormOp"/>
    public Slot RmsNorm(Slot x, Slot weight, float epsilon, float weightOffset = 0)
    {
        ArgumentNullException.ThrowIfNull(weight);
        (Dim n, Dim width) = ExpectMatrix(x);
        Dim group = weight.Tensor.Shape[0];
        ExpectWeight(weight, [group]);
        Require(
            group.Max > 0 && width.Max % group.Max == 0, $"expected a weight whose width divides {width}, got {weight.Spec}.", nameof(weight));
        return Add(new RmsNormOp(x, weight, F32(n, width), epsilon, weightOffset));
    }

    /// <inheritdoc cref="UnitNormOp"/>
    public Slot UnitNorm(Slot x, int width, float epsilon)
    {
        (Dim n, Dim columns) = ExpectMatrix(x);
        Require(width > 0 && columns.Max % width == 0, $"expected a divisor of {columns}, got {width}.", nameof(width));
        return Add(new UnitNormOp(x, F32(n, columns), width, epsilon));
    }

    /// <inheritdoc cref="GainOp"/>
    public Slot Gain(Slot x, Slot weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        (Dim n, Dim width) = ExpectMatrix(x);
        Dim group = weight.Tensor.Shape[0];
        ExpectWeight(weight, [group]);
        Require(
            group.Max > 0 && width.Max % group.Max == 0, $"expected a weight whose width divides {width}, got {weight.Spec}.", nameof(weight));
        return Add(new GainOp(x, weight, F32(n, width)));
    }

    /// <inheritdoc cref="LinearOp"/>
    public Slot Linear(Slot x, Slot weight, Slot? bias = null)
    {
        ArgumentNullException.ThrowIfNull(weight);
        (Dim n, Dim width) = ExpectMatrix(x);
        Dim outputs = weight.Tensor.Shape[0];
        ExpectStored(weight, [outputs, width]);
        if (bias is not null)
        {
            ExpectWeight(bias, [outputs]);
        }

        return Add(new LinearOp(x, weight, bias, F32(n, outputs)));
    }

    /// <inheritdoc cref="RotationOp"/>
    public Slot Rotation(Slot positions, ImmutableArray<double> frequencies, double factor = 1)
    {
        Dim n = ExpectIndices(positions, nameof(positions));
        return Add(new RotationOp(positions, F32(n, 2 * frequencies.Length), frequencies, factor));
    }

    /// <inheritdoc cref="RopeOp"/>
    public Slot Rope(Slot x, Slot rotation, int headDim, bool interleaved = false)
    {
        (Dim n, Dim width) = ExpectMatrix(x);
        (Dim rotationRows, Dim rotated) = ExpectMatrix(rotation);
        Require(rotationRows == n, $"expected rotations of {n} rows, got {rotationRows}.", nameof(rotation));
        Require(
            headDim >= rotated.Max && width.Max % headDim == 0,
            $"expected a divisor of {width} not below {rotated}, got {headDim}.",
            nameof(headDim));
        return Add(new RopeOp(x, rotation, F32(n, width), headDim, interleaved));
    }

    /// <inheritdoc cref="AddOp"/>
    public Slot Add(Slot a, Slot b)
    {
        (Dim n, Dim width) = ExpectMatrix(a);
        Expect(b, DType.F32, [n, width]);
        return Add(new AddOp(a, b, F32(n, width)));
    }

    /// <inheritdoc cref="SwiGluOp"/>
    public Slot SwiGlu(Slot gate, Slot up)
    {
        (Dim n, Dim width) = ExpectMatrix(gate);
        Expect(up, DType.F32, [n, width]);
        return Add(new SwiGluOp(gate, up, F32(n, width)));
    }

    /// <inheritdoc cref="GeGluOp"/>
    public Slot GeGlu(Slot gate, Slot up)
    {
        (Dim n, Dim width) = ExpectMatrix(gate);
        Expect(up, DType.F32, [n, width]);
        return Add(new GeGluOp(gate, up, F32(n, width)));
    }

    /// <inheritdoc cref="ScaleOp"/>
    public Slot Scale(Slot x, float factor)
    {
        (Dim n, Dim width) = ExpectMatrix(x);
        return Add(new ScaleOp(x, F32(n, width), factor));
    }

    /// <inheritdoc cref="SoftCapOp"/>
    public Slot SoftCap(Slot x, float cap)
    {
        (Dim n, Dim width) = ExpectMatrix(x);
        Require(float.IsFinite(cap) && cap > 0, $"expected a finite cap above 0, got {cap}.", nameof(cap));
        return Add(new SoftCapOp(x, F32(n, width), cap));
    }

    /// <inheritdoc cref="GatherRowsOp"/>
    public Slot GatherRows(Slot x, Slot rows)
    {
        (_, Dim width) = ExpectMatrix(x);
        Dim m = ExpectIndices(rows, nameof(rows));
        return Add(new GatherRowsOp(x, rows, F32(m, width)));
    }

    /// <inheritdoc cref="AppendOp"/>
    public Slot Append(Slot store, Slot keys, Slot values, Slot positions, Slot sequences)
    {
        ExpectRows(store, keys, values, positions, sequences);
        return Add(new AppendOp(store, keys, values, positions, sequences, NextVersion(store)));
    }

    /// <inheritdoc cref="ReplaceRowsOp"/>
    public Slot ReplaceRows(Slot store, Slot keys, Slot values, Slot positions, Slot sequences)
    {
        ExpectRows(store, keys, values, positions, sequences);
        return Add(new ReplaceRowsOp(store, keys, values, positions, sequences, NextVersion(store)));
    }

    /// <inheritdoc cref="RowChangeOp"/>
    public Slot RowChange(Slot store, Slot keys, Slot values, Slot positions, Slot sequences)
    {
        ExpectRows(store, keys, values, positions, sequences);
        return Add(new RowChangeOp(store, keys, values, positions, sequences, F32(1)));
    }

    /// <inheritdoc cref="AttendOp"/>
    public Slot Attend(Slot q, Slot store, Slot positions, Slot sequences, AttentionRule rule)
    {
        (Dim n, Dim width) = ExpectMatrix(q);
        ExpectQueryHeads(ExpectStore(store), width.Max, nameof(q));
        Expect(positions, DType.I32, [n]);
        Expect(sequences, DType.I32, [n]);
        CheckRule(rule, nameof(rule));
        return Add(new AttendOp(q, store, positions, sequences, F32(n, width), rule));
    }

    /// <inheritdoc cref="RememberQueriesOp"/>
    public Slot RememberQueries(Slot window, Slot q, Slot positions, Slot sequences)
    {
        ArgumentNullException.ThrowIfNull(window);
        (Dim n, Dim width) = ExpectMatrix(q);
        Expect(window, DType.F32, [window.Tensor.Shape[0], window.Tensor.Shape[1], width]);
        Expect(positions, DType.I32, [n]);
        Expect(sequences, DType.I32, [n]);
        return Add(new RememberQueriesOp(window, q, positions, sequences, NextVersion(window)));
    }

    // New rows of a store.
    private static void ExpectRows(Slot store, Slot keys, Slot values, Slot positions, Slot sequences)
    {
        StoreSpec spec = ExpectStore(store);
        Dim n = ExpectIndices(positions, nameof(positions));
        Expect(sequences, DType.I32, [n]);
        Expect(keys, DType.F32, [n, spec.NumKvHeads * spec.HeadDim]);
        Expect(values, DType.F32, [n, spec.NumKvHeads * spec.HeadDim]);
    }

    private static void CheckRule(AttentionRule rule, string name)
    {
        Require(rule.Window is null or > 0, $"expected a window of at least 1 position, got {rule.Window}.", name);
        Require(
            rule.SoftCap is null || (float.IsFinite(rule.SoftCap.Value) && rule.SoftCap > 0),
            $"expected a finite cap above 0, got {rule.SoftCap}.",
            name);
    }

    private static Dim ExpectIndices(Slot slot, string name)
    {
        ArgumentNullException.ThrowIfNull(slot, name);
        return slot.Spec is TensorSpec { Type: DType.I32, Shape.Rank: 1 } spec
            ? spec.Shape[0]
            : throw new ArgumentException($"expected I32[n], got {slot.Spec}.", name);
    }

    private static int ExpectQueryHeads(StoreSpec store, int width, string name)
    {
        Require(
            width > 0 && width % (store.NumKvHeads * store.HeadDim) == 0,
            $"expected a multiple of {store.NumKvHeads} KV heads x {store.HeadDim} channels, got {width}.",
            name);
        return width / store.HeadDim;
    }
}
