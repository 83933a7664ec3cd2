using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;
using KvIL.Backends;
using KvIL.Gpu.Devices;
using KvIL.Gpu.Kernels;
using KvIL.Gpu.Memory;
using KvIL.Plans;

namespace KvIL.Gpu;

/// <summary>An in-order stream of the device, with an arena as large as the largest plan enqueued so far.</summary>
/// <remarks>
/// Small uploads and bound integers go through a <see cref="StagingRing"/> and wait for nothing; large uploads and downloads wait for
/// the stream. Whatever a driver reports in between is kept until <see cref="Synchronize"/>.
/// </remarks>
internal sealed class GpuQueue : IQueue
{
    private const long FaultBytes = 256;

    private readonly Heap _heap;
    private readonly IDeviceStream _stream;
    private readonly StagingRing _staging;
    private readonly IDeviceMemory _fault;
    private readonly Frame _frame;
    private IDeviceMemory? _arena;
    private long _arenaBytes;
    private volatile bool _busy;
    private AcceleratorException? _failure;

    public GpuQueue(Heap heap)
    {
        _heap = heap;
        _stream = heap.Device.CreateStream();
        _staging = new(_stream);
        _fault = heap.Allocate(FaultBytes, FaultBytes, MemoryKind.Scratch);
        _frame = new(heap.Device, _stream, _fault.View.Cast<int>().SubView(0, 1));
        heap.Add(this);
    }

    public void Upload<T>(ReadOnlySpan<T> source, IBuffer destination) where T : unmanaged
    {
        GpuBuffer buffer = Tensor(destination, nameof(destination));
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(source);
        if (bytes.Length > buffer.SizeBytes)
        {
            throw new ArgumentException($"expected at most {buffer.SizeBytes} bytes for {buffer.Spec}, got {bytes.Length}.", nameof(source));
        }

        ArrayView<byte> view = buffer.View;
        try
        {
            CopyIn(bytes, view);
        }
        catch (AcceleratorException e)
        {
            _failure ??= e;
        }
    }

    public void Enqueue(IExecutable executable, Bindings bindings)
    {
        ArgumentNullException.ThrowIfNull(executable);
        ArgumentNullException.ThrowIfNull(bindings);
        Executable lowered = (Executable)executable;
        _frame.Fill(lowered, bindings, Arena(lowered.ScratchBytes));
        _busy = true;
        try
        {
            CopyIn(MemoryMarshal.AsBytes(bindings.Symbols), _frame.Block.Cast<byte>());
            foreach (Step step in lowered.Steps)
            {
                step.Run(_frame);
            }
        }
        catch (AcceleratorException e)
        {
            _failure ??= e;
        }
    }

    public void Download<T>(IBuffer source, Memory<T> destination) where T : unmanaged
    {
        GpuBuffer buffer = Tensor(source, nameof(source));
        Span<byte> bytes = MemoryMarshal.AsBytes(destination.Span);
        if (bytes.Length > buffer.SizeBytes)
        {
            throw new ArgumentException($"expected at most {buffer.SizeBytes} bytes of {buffer.Spec}, got {bytes.Length}.", nameof(destination));
        }

        ArrayView<byte> view = buffer.View;
        try
        {
            if (bytes.Length > 0)
            {
                _stream.CopyOut(view, bytes);
            }
        }
        catch (AcceleratorException e)
        {
            _failure ??= e;
        }
    }

    public void Synchronize()
    {
        int fault = Faults.None;
        try
        {
            _stream.CopyOut(_fault.View, MemoryMarshal.AsBytes(new Span<int>(ref fault)));
            _stream.Synchronize();
        }
        catch (AcceleratorException e)
        {
            _failure ??= e;
        }

        _busy = false;
        if (_failure is AcceleratorException failure)
        {
            _failure = null;
            throw new DeviceFaultException($"{_heap.Device.Name}: {failure.Message}", failure);
        }

        if (fault != Faults.None)
        {
            int none = Faults.None;
            _stream.CopyIn(MemoryMarshal.AsBytes(new Span<int>(ref none)), _fault.View);
            throw new DeviceFaultException(Faults.Message(fault));
        }
    }

    /// <summary>Blocks until nothing enqueued is left to do, so that memory may be freed.</summary>
    /// <remarks>A device that failed has nothing left to do either; <see cref="Synchronize"/> reports it.</remarks>
    public void Drain()
    {
        try
        {
            if (_busy)
            {
                _stream.Synchronize();
            }
        }
        catch (AcceleratorException e)
        {
            _failure ??= e;
        }
    }

    public void Dispose()
    {
        Drain();
        _heap.Remove(this);
        if (_arena is not null)
        {
            _heap.Release(_arena, _arenaBytes, MemoryKind.Scratch);
        }

        _heap.Release(_fault, FaultBytes, MemoryKind.Scratch);
        _staging.Dispose();
        _stream.Dispose();
    }

    private static GpuBuffer Tensor(IBuffer buffer, string name) => buffer as GpuBuffer
        ?? throw new ArgumentException($"expected a tensor of this backend, got {buffer?.Spec.ToString() ?? "nothing"}.", name);

    private void CopyIn(ReadOnlySpan<byte> source, ArrayView<byte> destination)
    {
        _busy = true;
        if (source.Length > StagingRing.MaxBytes)
        {
            _stream.CopyIn(source, destination);
        }
        else if (source.Length > 0)
        {
            _staging.Copy(source, destination);
        }
    }

    private ArrayView<byte> Arena(long bytes)
    {
        if (_arena is null || _arenaBytes < bytes)
        {
            if (_arena is not null)
            {
                _heap.Release(_arena, _arenaBytes, MemoryKind.Scratch);
                _arena = null;
            }

            _arena = _heap.Allocate(bytes, bytes, MemoryKind.Scratch);
            _arenaBytes = bytes;
        }

        return _arena.View;
    }
}
