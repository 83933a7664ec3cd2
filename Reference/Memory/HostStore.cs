using KvIL.Backends;
using KvIL.Tensors;

namespace KvIL.Reference.Memory;

/// <summary>A store as six tensors, with the row arithmetic that kernels share.</summary>
internal sealed unsafe class HostStore : IStore
{
    private readonly HostBuffer _keys = null!;
    private readonly HostBuffer _values = null!;
    private readonly HostBuffer _positions = null!;
    private readonly HostBuffer _starts;
    private readonly HostBuffer _lengths;
    private readonly HostBuffer _capacities;

    public HostStore(StoreSpec spec, MemoryAccount account)
    {
        int rows = checked((int)spec.Rows); // rows of one store; bytes and element offsets are 64-bit
        HostBuffer Tensor(DType type, params ReadOnlySpan<Dim> dims) =>
            HostBuffer.Allocate(new(type, dims), account, MemoryKind.Cache);
        StoreSpec = spec;
        _starts = Tensor(DType.I32, spec.Runs, 2);
        _lengths = Tensor(DType.I32, spec.Runs);
        _capacities = Tensor(DType.I32, spec.Runs);
        try
        {
            _positions = Tensor(DType.I32, rows);
            _keys = Tensor(spec.RowType, rows, spec.HeadDim);
            _values = Tensor(spec.RowType, rows, spec.HeadDim);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public StoreSpec StoreSpec { get; }

    public Spec Spec => StoreSpec;

    public IBuffer Keys => _keys;

    public IBuffer Values => _values;

    public IBuffer Positions => _positions;

    public IBuffer Starts => _starts;

    public IBuffer Lengths => _lengths;

    public IBuffer Capacities => _capacities;

    /// <summary>First row of each run.</summary>
    public long* Start => (long*)_starts.Pointer;

    /// <summary>Rows held by each run.</summary>
    public int* Length => (int*)_lengths.Pointer;

    /// <summary>Rows that each run may hold.</summary>
    public int* Capacity => (int*)_capacities.Pointer;

    /// <summary>Position of each row's token.</summary>
    public int* Position => (int*)_positions.Pointer;

    /// <summary>Bytes of a key, and of a value.</summary>
    public long VectorBytes => StoreSpec.RowType.SizeBytes(StoreSpec.HeadDim);

    /// <summary>The key of a row of the pool.</summary>
    public byte* Key(long row) => _keys.Pointer + (row * VectorBytes);

    /// <summary>The value of a row of the pool.</summary>
    public byte* Value(long row) => _values.Pointer + (row * VectorBytes);

    /// <summary>How many rows of a run stand at <paramref name="position"/> or before: positions ascend within a run; with p − W, the first row that a window W shows at p.</summary>
    public int VisibleRows(int run, int position)
    {
        int* first = Position + Start[run];
        int low = 0;
        int high = Length[run];
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (first[middle] <= position)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    /// <summary>The row of the pool that a run holds at <paramref name="position"/>; −1 for none.</summary>
    public long RowAt(int run, int position)
    {
        long row = Start[run] + VisibleRows(run, position) - 1;
        return row >= Start[run] && Position[row] == position ? row : -1;
    }

    public IBuffer Rows(int firstRow, int rows) => throw new NotSupportedException("A store has no rows of its own; take those of its tensors.");

    public void Dispose()
    {
        _keys?.Dispose();
        _values?.Dispose();
        _positions?.Dispose();
        _starts.Dispose();
        _lengths.Dispose();
        _capacities.Dispose();
    }
}
