using KvIL.Backends;
using KvIL.Tensors;

namespace KvIL.Reference.Memory;

/// <summary>A tensor in this process's memory: allocated and counted, or a view of memory that another object owns.</summary>
internal sealed unsafe class HostBuffer : IBuffer
{
    private readonly MemoryAccount? _account;
    private readonly MemoryKind _kind;
    private readonly bool _ownsPages;
    private readonly object? _keepAlive;
    private bool _disposed;

    private HostBuffer(TensorSpec spec, byte* pointer, MemoryAccount? account, MemoryKind kind, bool ownsPages, object? keepAlive)
    {
        Pointer = pointer;
        (Tensor, SizeBytes) = (spec, spec.SizeBytes);
        (_account, _kind, _ownsPages, _keepAlive) = (account, kind, ownsPages, keepAlive);
        account?.Add(kind, SizeBytes);
    }

    public TensorSpec Tensor { get; }

    public byte* Pointer { get; private set; }

    public long SizeBytes { get; }

    public Spec Spec => Tensor;

    public static HostBuffer Allocate(TensorSpec spec, MemoryAccount account, MemoryKind kind) =>
        new(spec, Pages.Allocate(spec.SizeBytes), account, kind, ownsPages: true, keepAlive: null);

    /// <summary>Weights in a mapped file: counted, used where they lie.</summary>
    public static HostBuffer Import(TensorSpec spec, HostMemory memory, MemoryAccount account) =>
        memory.LengthBytes >= spec.SizeBytes
            ? new(spec, (byte*)memory.Address, account, MemoryKind.Weights, ownsPages: false, memory.Owner)
            : throw new ArgumentException($"expected {spec.SizeBytes} bytes for {spec}, got {memory.LengthBytes}.", nameof(memory));

    public IBuffer Rows(int firstRow, int rows)
    {
        Dim[] dims = [.. Enumerable.Range(0, Tensor.Shape.Rank).Select(axis => Tensor.Shape[axis])];
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, dims[0].Max - firstRow);
        long rowBytes = dims[0].Max == 0 ? 0 : SizeBytes / dims[0].Max;
        dims[0] = rows;
        return new HostBuffer(new(Tensor.Type, dims), Pointer + (firstRow * rowBytes), null, _kind, ownsPages: false, this);
    }

    public Span<T> AsSpan<T>() where T : unmanaged => new(Pointer, checked((int)(SizeBytes / sizeof(T))));

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _account?.Add(_kind, -SizeBytes);
        if (_ownsPages)
        {
            Pages.Free(Pointer, SizeBytes);
        }

        Pointer = null;
        GC.KeepAlive(_keepAlive);
    }
}
