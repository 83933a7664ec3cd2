using System.Diagnostics;
using System.Runtime.InteropServices;
using KvIL.Backends;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Reference.Memory;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference;

/// <summary>Runs plans at once, on the calling thread and its workers.</summary>
internal sealed unsafe class HostQueue(ReferenceBackend backend, Workers workers) : IQueue
{
    private readonly Frame _frame = new(workers);
    private HostBuffer? _arena;

    public void Upload<T>(ReadOnlySpan<T> source, IBuffer destination) where T : unmanaged
    {
        HostBuffer buffer = (HostBuffer)destination;
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(source);
        if (bytes.Length > buffer.SizeBytes)
        {
            throw new ArgumentException($"expected at most {buffer.SizeBytes} bytes for {buffer.Spec}, got {bytes.Length}.", nameof(source));
        }

        bytes.CopyTo(new Span<byte>(buffer.Pointer, bytes.Length));
    }

    public void Enqueue(IExecutable executable, Bindings bindings)
    {
        Executable lowered = (Executable)executable;
        _frame.Fill(lowered, bindings, Arena(lowered.ScratchBytes));
        if (backend.Watch is not null)
        {
            RunWatched(lowered, backend.Watch);
            return;
        }

        foreach (Step step in lowered.Steps)
        {
            step.Run(_frame);
        }
    }

    private void RunWatched(Executable executable, Action<Op, TimeSpan> watch)
    {
        for (int i = 0; i < executable.Steps.Length; i++)
        {
            long began = Stopwatch.GetTimestamp();
            executable.Steps[i].Run(_frame);
            watch(executable.Plan.Ops[i], Stopwatch.GetElapsedTime(began));
        }
    }

    public void Download<T>(IBuffer source, Memory<T> destination) where T : unmanaged
    {
        HostBuffer buffer = (HostBuffer)source;
        Span<byte> bytes = MemoryMarshal.AsBytes(destination.Span);
        if (bytes.Length > buffer.SizeBytes)
        {
            throw new ArgumentException($"expected at most {buffer.SizeBytes} bytes of {buffer.Spec}, got {bytes.Length}.", nameof(destination));
        }

        new ReadOnlySpan<byte>(buffer.Pointer, bytes.Length).CopyTo(bytes);
    }

    public void Synchronize()
    {
    }

    public void Dispose() => _arena?.Dispose();

    private byte* Arena(long bytes)
    {
        if (_arena is null || _arena.SizeBytes < bytes)
        {
            _arena?.Dispose();
            _arena = null;
            _arena = HostBuffer.Allocate(Bytes(bytes), backend.Memory, MemoryKind.Scratch);
        }

        return _arena.Pointer;
    }

    // Two axes, since an extent is a 32-bit integer; rows of 64 bytes, of which every arena is a multiple.
    private static TensorSpec Bytes(long bytes) => new(DType.I32, checked((int)((bytes + 63) / 64)), 16);
}
