using ILGPU;
using KvIL.Backends;
using KvIL.Gpu.Devices;
using KvIL.Gpu.Kernels;
using KvIL.Tensors;

namespace KvIL.Gpu.Memory;

/// <summary>A store as six tensors in one allocation, each at a multiple of 256 bytes.</summary>
internal sealed class GpuStore : IStore
{
    private const long Alignment = 256;

    private readonly Heap _heap;
    private readonly IDeviceMemory _memory;
    private readonly GpuBuffer[] _parts;
    private bool _disposed;

    public GpuStore(StoreSpec spec, Heap heap)
    {
        (StoreSpec, _heap) = (spec, heap);
        int rows = checked((int)spec.Rows); // rows of one store; bytes and element offsets are 64-bit
        TensorSpec[] specs =
        [
            new(spec.RowType, rows, spec.HeadDim),
            new(spec.RowType, rows, spec.HeadDim),
            new(DType.I32, rows),
            new(DType.I32, spec.Runs, 2),
            new(DType.I32, spec.Runs),
            new(DType.I32, spec.Runs),
        ];
        long[] begins = new long[specs.Length];
        long end = 0;
        for (int i = 0; i < specs.Length; i++)
        {
            begins[i] = end;
            end += (specs[i].SizeBytes + Alignment - 1) / Alignment * Alignment;
        }

        _memory = heap.Allocate(end, spec.SizeBytes, MemoryKind.Cache);
        _parts = [.. specs.Select((part, i) => new GpuBuffer(part, _memory.View.Part(begins[i], part.SizeBytes)))];
    }

    public StoreSpec StoreSpec { get; }

    public Spec Spec => StoreSpec;

    public IBuffer Keys => _parts[0];

    public IBuffer Values => _parts[1];

    public IBuffer Positions => _parts[2];

    public IBuffer Starts => _parts[3];

    public IBuffer Lengths => _parts[4];

    public IBuffer Capacities => _parts[5];

    /// <summary>The store as kernels see it.</summary>
    /// <exception cref="ObjectDisposedException">The memory was given back.</exception>
    public StoreView<T> View<T>() where T : unmanaged => new()
    {
        Keys = Part<T>(0),
        Values = Part<T>(1),
        Runs = Runs(),
        HeadDim = StoreSpec.HeadDim,
    };

    /// <summary>The store's run table as kernels see it.</summary>
    /// <exception cref="ObjectDisposedException">The memory was given back.</exception>
    public RunTable Runs() => new()
    {
        Positions = Part<int>(2),
        Starts = Part<long>(3),
        Lengths = Part<int>(4),
        Capacities = Part<int>(5),
        Heads = StoreSpec.NumKvHeads,
    };

    public IBuffer Rows(int firstRow, int rows) => throw new NotSupportedException("A store has no rows of its own; take those of its tensors.");

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        foreach (GpuBuffer part in _parts)
        {
            part.Dispose();
        }

        _heap.Release(_memory, StoreSpec.SizeBytes, MemoryKind.Cache);
    }

    private ArrayView<T> Part<T>(int index) where T : unmanaged => _parts[index].View.Cast<T>();
}
