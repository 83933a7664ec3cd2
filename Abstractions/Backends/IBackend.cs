using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Backends;

/// <summary>Compiles plans for one device and owns its memory.</summary>
public interface IBackend : IDisposable
{
    /// <summary>Short identifier, such as <c>cpu</c> or <c>cuda:0</c>.</summary>
    string Name { get; }

    /// <summary>What is allocated on the device now and at most so far.</summary>
    MemoryAccount Memory { get; }

    /// <summary>Whether <see cref="Compile"/> accepts plans that contain <paramref name="op"/>. A fact about the backend; never throws.</summary>
    bool Supports(Op op);

    /// <summary>Allocates a zeroed tensor, symbols at their largest.</summary>
    /// <exception cref="InsufficientDeviceMemoryException">The device cannot give that much.</exception>
    IBuffer Allocate(TensorSpec spec, MemoryKind kind);

    /// <summary>Allocates a store whose runs are all empty and have no capacity; the caller uploads starts and capacities, or a compaction fills it.</summary>
    /// <exception cref="InsufficientDeviceMemoryException">The device cannot give that much.</exception>
    IStore Allocate(StoreSpec spec);

    /// <summary>Takes a weight as it lies in host memory; a backend may use it in place, copy it or repack it.</summary>
    /// <exception cref="ArgumentException">The memory is shorter than the tensor.</exception>
    IBuffer Import(TensorSpec spec, HostMemory memory);

    /// <summary>Lowers a plan. May fuse, reorder independent ops and alias dead slots; must not change results beyond the ops' tolerances.</summary>
    /// <exception cref="NotSupportedException">The plan contains an op for which <see cref="Supports"/> is false.</exception>
    IExecutable Compile(Plan plan);

    /// <summary>Creates an in-order queue. Work on different queues is unordered.</summary>
    IQueue CreateQueue();
}

/// <summary>Device memory with a type and shape, but no readable address.</summary>
public interface IBuffer : IDisposable
{
    /// <summary>What it holds.</summary>
    Spec Spec { get; }

    /// <summary>A part of a tensor, from row <paramref name="firstRow"/> of its outermost axis on, without a copy; it does not own the memory.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The part does not lie inside the tensor.</exception>
    IBuffer Rows(int firstRow, int rows);
}

/// <summary>The device form of a <see cref="StoreSpec"/>: six tensors that a caller may upload to and download from.</summary>
public interface IStore : IBuffer
{
    /// <summary>Keys after RoPE, RowType <c>[rows, head_dim]</c>.</summary>
    IBuffer Keys { get; }

    /// <summary>Values, RowType <c>[rows, head_dim]</c>.</summary>
    IBuffer Values { get; }

    /// <summary>Original position of each row's token, I32 <c>[rows]</c>.</summary>
    IBuffer Positions { get; }

    /// <summary>First row of each run, 64-bit, as I32 <c>[runs, 2]</c> (low word first).</summary>
    IBuffer Starts { get; }

    /// <summary>Rows held by each run, I32 <c>[runs]</c>.</summary>
    IBuffer Lengths { get; }

    /// <summary>Rows that each run may hold, I32 <c>[runs]</c>.</summary>
    IBuffer Capacities { get; }
}

/// <summary>A plan lowered for one backend. Reusable and immutable.</summary>
public interface IExecutable : IDisposable
{
    /// <summary>The plan it computes.</summary>
    Plan Plan { get; }

    /// <summary>Bytes that it takes from the arena of the queue it runs on.</summary>
    long ScratchBytes { get; }
}

/// <summary>An in-order stream of device work. Every member but <see cref="Synchronize"/> may return before the work is done.</summary>
public interface IQueue : IDisposable
{
    /// <summary>Copies host to device; the source may be reused at once.</summary>
    /// <exception cref="ArgumentException">The source is longer than the destination.</exception>
    void Upload<T>(ReadOnlySpan<T> source, IBuffer destination) where T : unmanaged;

    /// <summary>Runs a plan. Nothing comes back to the host. Bound integers are read before this returns.</summary>
    /// <exception cref="ArgumentException">An input or output is not bound, or bound to a buffer of another type or too small.</exception>
    void Enqueue(IExecutable executable, Bindings bindings);

    /// <summary>Copies device to host; valid after <see cref="Synchronize"/>. The destination must stay where it is until then.</summary>
    void Download<T>(IBuffer source, Memory<T> destination) where T : unmanaged;

    /// <summary>Blocks until every enqueued item is done. The only place where a device fault surfaces.</summary>
    void Synchronize();
}
