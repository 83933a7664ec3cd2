using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>The runs of a store: run r = sequence · Heads + head holds rows Starts[r] .. Starts[r] + Lengths[r] − 1 of the pool.</summary>
internal struct RunTable
{
    public ArrayView<long> Starts;
    public ArrayView<int> Lengths;
    public ArrayView<int> Capacities;
    public ArrayView<int> Positions;

    /// <summary>KV heads.</summary>
    public int Heads;

    /// <summary>Rows of a run that a window hides from a query at <paramref name="position"/>: those at position − window or before.</summary>
    public readonly int HiddenRows(int run, int position, int window) => VisibleRows(run, position - window);

    /// <summary>How many rows of a run stand at <paramref name="position"/> or before: positions ascend within a run.</summary>
    public readonly int VisibleRows(int run, int position)
    {
        ArrayView<int> rows = Positions.Part(Starts[run], Lengths[run]);
        int low = 0;
        int high = Lengths[run];
        while (low < high)
        {
            int middle = (low + high) >> 1;
            bool visible = rows[middle] <= position;
            low = visible ? middle + 1 : low;
            high = visible ? high : middle;
        }

        return low;
    }
}

/// <summary>A store whose keys and values are of type <typeparamref name="T"/>.</summary>
internal struct StoreView<T> where T : unmanaged
{
    public ArrayView<T> Keys;
    public ArrayView<T> Values;
    public RunTable Runs;
    public int HeadDim;

    /// <summary>The key of a row of the pool.</summary>
    public readonly ArrayView<T> Key(long row) => Keys.SubView(row * HeadDim, HeadDim);

    /// <summary>The value of a row of the pool.</summary>
    public readonly ArrayView<T> Value(long row) => Values.SubView(row * HeadDim, HeadDim);
}
