using KvIL.Backends;
using KvIL.Gpu;
using KvIL.Plans;
using KvIL.Reference;
using KvIL.Tensors;

namespace KvIL.Tests.Gpu.Support;

/// <summary>Inputs of a plan by slot (float[], int[] or HostStore), its integers, and the rows of stores that it creates.</summary>
internal sealed class Given
{
    public Dictionary<Slot, object> Inputs { get; } = [];

    public Dictionary<Symbol, int> Symbols { get; } = [];

    public Dictionary<Slot, long> FreshRows { get; } = [];
}

/// <summary>What a plan left behind, by slot: outputs, and states under the slot that was their input.</summary>
internal sealed class Results(Dictionary<Slot, object> values)
{
    public float[] Floats(Slot slot) => (float[])values[slot];

    public int[] Ints(Slot slot) => (int[])values[slot];

    public HostStore Store(Slot slot) => (HostStore)values[slot];
}

/// <summary>Runs a plan on one backend.</summary>
internal static class PlanRun
{
    public static Results On(IBackend backend, Plan plan, Given given)
    {
        using IQueue queue = backend.CreateQueue();
        using IExecutable executable = backend.Compile(plan);
        Bindings bindings = new(plan);
        Dictionary<Slot, IBuffer> buffers = [];
        try
        {
            foreach ((Symbol symbol, int value) in given.Symbols) bindings[symbol] = value;
            foreach (Slot slot in plan.Inputs.Concat(plan.Outputs))
            {
                buffers[slot] = Place(backend, queue, slot, given);
                bindings[slot] = buffers[slot];
            }

            queue.Enqueue(executable, bindings);
            queue.Synchronize();
            Dictionary<Slot, object> values = [];
            foreach ((Slot slot, IBuffer buffer) in buffers)
            {
                if (slot.Spec is StoreSpec spec) values[slot] = HostStore.Download(StoreOf(slot, spec, given), (IStore)buffer, queue);
                else if (slot.Tensor.Type == DType.I32) values[slot] = Ints(queue, buffer);
                else if (slot.Tensor.Type == DType.F32) values[slot] = Transfer.Download(queue, buffer);
            }

            return new(values);
        }
        finally
        {
            foreach (IBuffer buffer in buffers.Values) buffer.Dispose();
        }
    }

    private static StoreSpec StoreOf(Slot slot, StoreSpec spec, Given given) =>
        given.Inputs.TryGetValue(slot, out object? input) ? ((HostStore)input).Spec : spec with { Rows = given.FreshRows[slot] };

    private static IBuffer Place(IBackend backend, IQueue queue, Slot slot, Given given)
    {
        given.Inputs.TryGetValue(slot, out object? input);
        if (slot.Spec is StoreSpec spec) return input is HostStore store ? store.Upload(backend, queue) : backend.Allocate(StoreOf(slot, spec, given));

        IBuffer buffer = backend.Allocate(slot.Tensor, MemoryKind.Activations);
        if (input is int[] ints) queue.Upload<int>(ints, buffer);
        else if (input is float[] floats) Transfer.Upload(queue, floats, buffer);
        return buffer;
    }

    private static int[] Ints(IQueue queue, IBuffer buffer)
    {
        int[] values = new int[((TensorSpec)buffer.Spec).Shape.MaxElements];
        queue.Download<int>(buffer, values);
        queue.Synchronize();
        return values;
    }
}

/// <summary>The backend under test and the one that it must agree with, one of each for a test class.</summary>
public sealed class Devices : IDisposable
{
    internal GpuBackend Gpu { get; } = GpuBackend.Create(GpuKind.Emulated);

    internal ReferenceBackend Reference { get; } = new(threads: 1);

    public void Dispose()
    {
        Gpu.Dispose();
        Reference.Dispose();
    }

    internal (Results Expected, Results Actual) Run(Plan plan, Given given) =>
        (PlanRun.On(Reference, plan, given), PlanRun.On(Gpu, plan, given));
}
