using KvIL.Backends;
using KvIL.Tensors;

namespace KvIL.Conformance.Oracle;

/// <summary>A store of the oracle: six tensors, and views of its runs.</summary>
internal sealed class OracleStore : IStore
{
    private readonly OracleTensor _keys;
    private readonly OracleTensor _values;
    private readonly OracleTensor _positions;
    private readonly OracleTensor _starts;
    private readonly OracleTensor _lengths;
    private readonly OracleTensor _capacities;
    private Action? _release;

    /// <summary>An empty store; <paramref name="release"/> runs once, on disposal.</summary>
    public OracleStore(StoreSpec spec, Action release)
    {
        int rows = checked((int)spec.Rows);
        StoreSpec = spec;
        _keys = new(new TensorSpec(spec.RowType, rows, spec.HeadDim));
        _values = new(new TensorSpec(spec.RowType, rows, spec.HeadDim));
        _positions = new(new TensorSpec(DType.I32, rows));
        _starts = new(new TensorSpec(DType.I32, spec.Runs, 2));
        _lengths = new(new TensorSpec(DType.I32, spec.Runs));
        _capacities = new(new TensorSpec(DType.I32, spec.Runs));
        _release = release;
    }

    public StoreSpec StoreSpec { get; }

    public Spec Spec => StoreSpec;

    public IBuffer Keys => _keys;

    public IBuffer Values => _values;

    public IBuffer Positions => _positions;

    public IBuffer Starts => _starts;

    public IBuffer Lengths => _lengths;

    public IBuffer Capacities => _capacities;

    /// <summary>Rows held by each run.</summary>
    public ArraySegment<int> RunLengths => _lengths.Integers;

    /// <summary>Rows that each run may hold.</summary>
    public ArraySegment<int> RunCapacities => _capacities.Integers;

    private int PoolRows => (int)StoreSpec.Rows;

    /// <summary>The run of a sequence and KV head.</summary>
    public Run Run(int sequence, int head)
    {
        int run = (sequence * StoreSpec.NumKvHeads) + head;
        return new(
            run,
            (int)GetStart(run),
            RunLengths[run],
            _keys.Reals(PoolRows, StoreSpec.HeadDim),
            _values.Reals(PoolRows, StoreSpec.HeadDim),
            _positions.Integers);
    }

    /// <summary>Moves the first row of a run.</summary>
    public void SetStart(int run, long start)
    {
        ArraySegment<int> words = _starts.Integers;
        (words[2 * run], words[(2 * run) + 1]) = (unchecked((int)start), (int)(start >> 32));
    }

    /// <summary>Writes one row of the pool, rounded to the row type.</summary>
    public void SetRow(int row, Func<int, double> key, Func<int, double> value, int position)
    {
        Matrix keys = _keys.Reals(PoolRows, StoreSpec.HeadDim), values = _values.Reals(PoolRows, StoreSpec.HeadDim);
        ArraySegment<int> positions = _positions.Integers;
        positions[row] = position;
        for (int c = 0; c < StoreSpec.HeadDim; c++)
        {
            keys[row, c] = Numbers.Round(key(c), StoreSpec.RowType);
            values[row, c] = Numbers.Round(value(c), StoreSpec.RowType);
        }
    }

    /// <summary>A store has no rows of its own axis.</summary>
    public IBuffer Rows(int firstRow, int rows) =>
        throw new ArgumentOutOfRangeException(nameof(firstRow), "A store has no parts; take the rows of one of its tensors.");

    public void Dispose()
    {
        _release?.Invoke();
        _release = null;
    }

    private long GetStart(int run)
    {
        ArraySegment<int> words = _starts.Integers;
        return ((long)words[(2 * run) + 1] << 32) | (uint)words[2 * run];
    }
}

/// <summary>One run of a store: row j of it is row <c>Start + j</c> of the pool.</summary>
internal readonly record struct Run(int Index, int Start, int Length, Matrix Keys, Matrix Values, ArraySegment<int> Positions)
{
    public int HeadDim => Keys.Width;

    public double Key(int j, int c) => Keys[Start + j, c];

    public double Value(int j, int c) => Values[Start + j, c];

    public int Position(int j) => Positions[Start + j];
}
