using KvIL.Backends;
using KvIL.Gpu.Devices;

namespace KvIL.Gpu.Memory;

/// <summary>The memory of one device, counted, and the queues that may still be using it.</summary>
internal sealed class Heap(IDevice device, MemoryAccount account)
{
    private readonly Lock _lock = new();
    private readonly List<GpuQueue> _queues = [];

    /// <summary>The device.</summary>
    public IDevice Device { get; } = device;

    /// <summary>Allocates zeroed bytes and counts exactly <paramref name="bytes"/>.</summary>
    public IDeviceMemory Allocate(long bytes, long counted, MemoryKind kind)
    {
        IDeviceMemory memory = Device.Allocate(bytes);
        account.Add(kind, counted);
        return memory;
    }

    /// <summary>Frees memory once no queued work can touch it.</summary>
    /// <remarks>Drivers wait for the device when they free; waiting here makes that a rule and not a favour.</remarks>
    public void Release(IDeviceMemory memory, long counted, MemoryKind kind)
    {
        GpuQueue[] queues;
        lock (_lock)
        {
            queues = [.. _queues];
        }

        foreach (GpuQueue queue in queues)
        {
            queue.Drain();
        }

        memory.Dispose();
        account.Add(kind, -counted);
    }

    /// <summary>Says that a queue may use this memory from now on.</summary>
    public void Add(GpuQueue queue)
    {
        lock (_lock)
        {
            _queues.Add(queue);
        }
    }

    /// <summary>Says that a queue is gone.</summary>
    public void Remove(GpuQueue queue)
    {
        lock (_lock)
        {
            _queues.Remove(queue);
        }
    }
}
