using KvIL.Backends;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Tests.Engines;

/// <summary>A backend whose work is spoiled around each plan: plants a fault below the engine, where no test looks.</summary>
internal sealed class TamperedBackend(IBackend inner) : IBackend
{
    /// <summary>Runs before each plan; may rebind its integers.</summary>
    public Action<IQueue, Bindings>? Before { get; init; }

    /// <summary>Runs after each plan; may change what it wrote.</summary>
    public Action<IQueue, Bindings>? After { get; init; }

    /// <summary>Ops that the backend says it does not have; null for none.</summary>
    public Func<Op, bool>? Lacks { get; init; }

    public string Name => inner.Name;

    public MemoryAccount Memory => inner.Memory;

    public bool Supports(Op op) => Lacks?.Invoke(op) != true && inner.Supports(op);

    public IBuffer Allocate(TensorSpec spec, MemoryKind kind) => inner.Allocate(spec, kind);

    public IStore Allocate(StoreSpec spec) => inner.Allocate(spec);

    public IBuffer Import(TensorSpec spec, HostMemory memory) => inner.Import(spec, memory);

    public IExecutable Compile(Plan plan) => inner.Compile(plan);

    public IQueue CreateQueue() => new Queue(inner.CreateQueue(), this);

    public void Dispose() => inner.Dispose();

    /// <summary>The symbol of that name, where the plan has one.</summary>
    public static void Rebind(Bindings bindings, string symbol, Func<int, int> change)
    {
        Symbol? found = bindings.Plan.Symbols.FirstOrDefault(s => s.Name == symbol);
        if (found is not null) bindings[found] = change(bindings.Symbols[found.Id]);
    }

    /// <summary>The buffer bound to the input or output of that name, or null.</summary>
    public static IBuffer? Bound(Bindings bindings, string name) =>
        bindings.Plan.Slots.FirstOrDefault(slot => slot.Name == name) is Slot slot ? bindings.Buffers[slot.Id] : null;

    /// <summary>Downloads, changes and uploads a buffer.</summary>
    public static void Edit<T>(IQueue queue, IBuffer buffer, int count, Action<T[]> change) where T : unmanaged
    {
        T[] data = new T[count];
        queue.Download<T>(buffer, data);
        queue.Synchronize();
        change(data);
        queue.Upload<T>(data, buffer);
    }

    private sealed class Queue(IQueue inner, TamperedBackend owner) : IQueue
    {
        public void Upload<T>(ReadOnlySpan<T> source, IBuffer destination) where T : unmanaged => inner.Upload(source, destination);

        public void Enqueue(IExecutable executable, Bindings bindings)
        {
            owner.Before?.Invoke(inner, bindings);
            inner.Enqueue(executable, bindings);
            owner.After?.Invoke(inner, bindings);
        }

        public void Download<T>(IBuffer source, Memory<T> destination) where T : unmanaged => inner.Download(source, destination);

        public void Synchronize() => inner.Synchronize();

        public void Dispose() => inner.Dispose();
    }
}
