using ILGPU;
using KvIL.Backends;
using KvIL.Gpu.Devices;
using KvIL.Gpu.Kernels;
using KvIL.Tensors;

namespace KvIL.Gpu.Memory;

/// <summary>A tensor in device memory: an allocation of its own, or a part of one.</summary>
internal sealed class GpuBuffer : IBuffer
{
    private readonly ArrayView<byte> _view;
    private readonly Heap? _heap;
    private readonly IDeviceMemory? _memory;
    private readonly MemoryKind _kind;
    private bool _disposed;

    /// <summary>Allocates a zeroed tensor; a quantised one with room for its weights as F32 (<see cref="Held"/>).</summary>
    public GpuBuffer(TensorSpec spec, Heap heap, MemoryKind kind)
    {
        (Tensor, SizeBytes, _heap, _kind) = (spec, Held(spec).SizeBytes, heap, kind);
        _memory = heap.Allocate(SizeBytes, SizeBytes, kind);
        _view = _memory.View.Part(0, SizeBytes);
    }

    /// <summary>A tensor in memory that somebody else owns.</summary>
    public GpuBuffer(TensorSpec spec, ArrayView<byte> view) =>
        (Tensor, SizeBytes, _view) = (spec, Held(spec).SizeBytes, view.Part(0, Held(spec).SizeBytes));

    /// <summary>What lies in device memory: F32 in place of a quantised type, else the tensor itself.</summary>
    public static TensorSpec Held(TensorSpec spec) => spec.Type.IsQuantized() ? spec with { Type = DType.F32 } : spec;

    public TensorSpec Tensor { get; }

    public long SizeBytes { get; }

    public Spec Spec => Tensor;

    /// <summary>Its bytes.</summary>
    /// <exception cref="ObjectDisposedException">The memory was given back.</exception>
    public ArrayView<byte> View
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _view;
        }
    }

    public IBuffer Rows(int firstRow, int rows)
    {
        Dim[] dims = [.. Enumerable.Range(0, Tensor.Shape.Rank).Select(axis => Tensor.Shape[axis])];
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, dims[0].Max - firstRow);
        long rowBytes = dims[0].Max == 0 ? 0 : SizeBytes / dims[0].Max;
        dims[0] = rows;
        return new GpuBuffer(new(Tensor.Type, dims), View.Part(firstRow * rowBytes, rows * rowBytes));
    }

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        if (_memory is not null)
        {
            _heap!.Release(_memory, SizeBytes, _kind);
        }
    }
}
