namespace KvIL.Tensors;

/// <summary>What a value of a plan is, with no address.</summary>
public abstract record Spec
{
    private protected Spec()
    {
    }

    /// <summary>Bytes that a backend allocates for it, by the documented formula, symbols at their largest.</summary>
    public abstract long SizeBytes { get; }
}

/// <summary>A dense row-major tensor.</summary>
/// <remarks>Of a quantised type every row, an innermost run of elements, fills whole blocks; <see cref="SizeBytes"/> throws where it does not.</remarks>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Extents.</param>
public sealed record TensorSpec(DType Type, Shape Shape) : Spec
{
    /// <summary>A tensor of the given extents.</summary>
    public TensorSpec(DType type, params ReadOnlySpan<Dim> dims)
        : this(type, new Shape(dims))
    {
    }

    /// <summary>Whether rows fill whole blocks: always, unless the type is quantised.</summary>
    public bool HasWholeBlocks => !Type.IsQuantized() || (Shape.Rank > 0 && Shape[^1].Symbol is null && Shape[^1].Max % Type.BlockElements() == 0);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The type is quantised and a row does not fill whole blocks.</exception>
    public override long SizeBytes => HasWholeBlocks
        ? Type.SizeBytes(Shape.MaxElements)
        : throw new ArgumentException($"expected rows of whole blocks of {Type.BlockElements()} elements, got {this}.");

    /// <inheritdoc/>
    public override string ToString() => $"{Type}{Shape}";
}

/// <summary>A ragged store of keys and values: for each (sequence, KV head) one contiguous run of rows in a common pool.</summary>
/// <remarks>
/// Run r = sequence · NumKvHeads + head holds rows Starts[r] .. Starts[r] + Lengths[r] - 1 of the pool and may grow to
/// Capacities[r] rows. A row is a key, a value and the original position of its token; rows of a run ascend in position.
/// Bytes: Rows · (HeadDim · (key + value bytes) + 4) for the pool, 16 for each run.
/// </remarks>
/// <param name="Sequences">Sequences in the batch.</param>
/// <param name="NumKvHeads">Key/value heads.</param>
/// <param name="HeadDim">Channels of a head.</param>
/// <param name="RowType">Element type of keys and values: F32 or F16.</param>
/// <param name="Rows">Rows of the pool, over all runs, slack included. 0 in a plan: there the size is that of the store bound.</param>
public sealed record StoreSpec(int Sequences, int NumKvHeads, int HeadDim, DType RowType, long Rows) : Spec
{
    /// <summary>Number of runs: sequences times KV heads.</summary>
    public int Runs => Sequences * NumKvHeads;

    /// <summary>Bytes of one row: key, value and position.</summary>
    public long RowBytes => (2 * RowType.SizeBytes(HeadDim)) + sizeof(int);

    /// <inheritdoc/>
    public override long SizeBytes => checked((Rows * RowBytes) + (Runs * (long)(sizeof(long) + (2 * sizeof(int)))));

    /// <inheritdoc/>
    public override string ToString() => $"Store<{RowType}>[{Sequences} x {NumKvHeads} heads, {(Rows == 0 ? "any" : Rows)} rows, {HeadDim}]";
}
