using ILGPU;
using KvIL.Backends;
using KvIL.Gpu.Devices;
using KvIL.Gpu.Kernels;
using KvIL.Gpu.Memory;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Gpu;

/// <summary>What a step sees while a plan is enqueued: where each slot lies, what each symbol is, and the stream.</summary>
/// <remarks>One per queue, refilled at each enqueue, so that enqueuing allocates nothing.</remarks>
internal sealed class Frame(IDevice device, IDeviceStream stream, ArrayView<int> fault)
{
    private ArrayView<byte>[] _tensors = [];
    private GpuStore?[] _stores = [];
    private int[] _symbols = [];
    private ArrayView<byte> _scratch;

    /// <summary>The bound integers on the device, by symbol id.</summary>
    public ArrayView<int> Block { get; private set; }

    /// <summary>Where kernels report a fault.</summary>
    public ArrayView<int> Fault { get; } = fault;

    /// <summary>Elements of a tensor slot, as stored.</summary>
    public ArrayView<T> Of<T>(Slot slot) where T : unmanaged => _tensors[slot.Id].Cast<T>();

    /// <summary>A part of the running step's scratch.</summary>
    public unsafe ArrayView<T> Of<T>(Scratch<T> part) where T : unmanaged =>
        _scratch.Part(part.Offset, part.Count * sizeof(T)).Cast<T>();

    /// <summary>The store bound to a slot.</summary>
    public GpuStore Store(Slot slot) => _stores[slot.Id]!;

    /// <summary>A dim as kernels see it.</summary>
    public static BoundInt Bound(Dim dim) => new() { Symbol = dim.Symbol?.Id ?? -1, Constant = dim.Symbol is null ? dim.Max : 0 };

    /// <summary>The value of a dim in this run.</summary>
    public int Value(Dim dim) => dim.Value(_symbols);

    /// <summary>Launches a group for each item, or fewer groups that share the items; nothing when there is no item.</summary>
    public void Launch<TArgs>(IKernel<TArgs> kernel, long items, in TArgs args) where TArgs : struct
    {
        if (items > 0)
        {
            stream.Launch(kernel, (int)Math.Min(items, device.MaxGroups), args);
        }
    }

    /// <summary>Points every slot at its memory.</summary>
    /// <exception cref="ArgumentException">A binding is missing, of another type or too small.</exception>
    public void Fill(Executable executable, Bindings bindings, ArrayView<byte> arena)
    {
        Plan plan = executable.Plan;
        if (!ReferenceEquals(bindings.Plan, plan))
        {
            throw new ArgumentException($"the bindings are of plan {bindings.Plan.Name}, not {plan.Name}.", nameof(bindings));
        }

        if (_tensors.Length < plan.Slots.Length)
        {
            _tensors = new ArrayView<byte>[plan.Slots.Length];
            _stores = new GpuStore?[plan.Slots.Length];
        }

        if (_symbols.Length < plan.Symbols.Length)
        {
            _symbols = new int[plan.Symbols.Length];
        }

        bindings.Symbols.CopyTo(_symbols);
        Block = executable.Block.View(arena).Cast<int>();
        _scratch = executable.StepScratch.View(arena);
        foreach (Slot slot in plan.Slots)
        {
            if (executable.Place(slot) is { } place)
            {
                _tensors[slot.Id] = place.View(arena);
            }
            else if (slot.Previous is null)
            {
                Bind(slot, bindings.Buffers[slot.Id]);
            }
            else
            {
                (_tensors[slot.Id], _stores[slot.Id]) = (_tensors[slot.Root.Id], _stores[slot.Root.Id]);
            }
        }
    }

    private void Bind(Slot slot, IBuffer? buffer)
    {
        switch (buffer)
        {
            case GpuStore store when slot.Spec is StoreSpec spec && (store.StoreSpec with { Rows = spec.Rows }) == spec:
                _stores[slot.Id] = store;
                break;
            case GpuBuffer tensor when slot.Spec is TensorSpec spec && tensor.Tensor.Type == spec.Type
                && tensor.SizeBytes >= spec.Type.SizeBytes(Elements(spec.Shape)):
                _tensors[slot.Id] = tensor.View;
                break;
            default:
                throw new ArgumentException(
                    $"{slot.Name}: expected {slot.Spec}, got {buffer?.Spec.ToString() ?? "nothing"}.", nameof(buffer));
        }
    }

    private long Elements(Shape shape)
    {
        long count = 1;
        for (int axis = 0; axis < shape.Rank; axis++)
        {
            count *= Value(shape[axis]);
        }

        return count;
    }
}
