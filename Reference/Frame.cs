using KvIL.Backends;
using KvIL.Plans;
using KvIL.Reference.Memory;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference;

/// <summary>What a step sees while a plan runs: where each slot lies, what each symbol is, the workers, scratch.</summary>
/// <remarks>One per queue, refilled at each enqueue, so that running allocates nothing.</remarks>
internal sealed unsafe class Frame(Workers workers)
{
    private nint[] _pointers = [];
    private HostStore?[] _stores = [];
    private int[] _symbols = [];

    /// <summary>The threads that share the items of a step.</summary>
    public Workers Workers { get; } = workers;

    /// <summary>Scratch of the running step, as many bytes as it asked for.</summary>
    public byte* Scratch { get; private set; }

    /// <summary>F32 data of a slot.</summary>
    public float* F32(Slot slot) => (float*)_pointers[slot.Id];

    /// <summary>I32 data of a slot.</summary>
    public int* I32(Slot slot) => (int*)_pointers[slot.Id];

    /// <summary>Data of a weight in its stored type.</summary>
    public byte* Raw(Slot slot) => (byte*)_pointers[slot.Id];

    /// <summary>The store bound to a slot.</summary>
    public HostStore Store(Slot slot) => _stores[slot.Id]!;

    /// <summary>The value of a dim in this run.</summary>
    public int Value(Dim dim) => dim.Value(_symbols);

    /// <summary>Elements of a tensor slot in this run.</summary>
    public long Elements(Slot slot)
    {
        Shape shape = slot.Tensor.Shape;
        long count = 1;
        for (int axis = 0; axis < shape.Rank; axis++)
        {
            count *= Value(shape[axis]);
        }

        return count;
    }

    /// <summary>Points every slot at its memory.</summary>
    /// <exception cref="ArgumentException">A binding is missing, of another type or too small.</exception>
    public void Fill(Executable executable, Bindings bindings, byte* arena)
    {
        Plan plan = executable.Plan;
        if (!ReferenceEquals(bindings.Plan, plan))
        {
            throw new ArgumentException($"the bindings are of plan {bindings.Plan.Name}, not {plan.Name}.", nameof(bindings));
        }

        if (_pointers.Length < plan.Slots.Length)
        {
            _pointers = new nint[plan.Slots.Length];
            _stores = new HostStore?[plan.Slots.Length];
        }

        if (_symbols.Length < plan.Symbols.Length)
        {
            _symbols = new int[plan.Symbols.Length];
        }

        bindings.Symbols.CopyTo(_symbols);
        Scratch = arena + executable.StepScratchOffset;
        foreach (Slot slot in plan.Slots)
        {
            long offset = executable.Offset(slot);
            if (offset >= 0)
            {
                _pointers[slot.Id] = (nint)(arena + offset);
            }
            else if (slot.Previous is null)
            {
                Bind(slot, bindings.Buffers[slot.Id]);
            }
            else
            {
                (_pointers[slot.Id], _stores[slot.Id]) = (_pointers[slot.Root.Id], _stores[slot.Root.Id]);
            }
        }
    }

    private void Bind(Slot slot, IBuffer? buffer)
    {
        switch (buffer)
        {
            case HostStore store when slot.Spec is StoreSpec spec && IsOfShape(store.StoreSpec, spec):
                _stores[slot.Id] = store;
                break;
            case HostBuffer tensor when slot.Spec is TensorSpec spec && tensor.Tensor.Type == spec.Type
                && tensor.SizeBytes >= spec.Type.SizeBytes(Elements(slot)):
                _pointers[slot.Id] = (nint)tensor.Pointer;
                break;
            default:
                throw new ArgumentException(
                    $"{slot.Name}: expected {slot.Spec}, got {buffer?.Spec.ToString() ?? "nothing"}.", nameof(buffer));
        }
    }
    // Rows stay open in a plan. Field by field: a copy with other rows would be garbage at every step.
    private static bool IsOfShape(StoreSpec held, StoreSpec spec) =>
        (held.Sequences, held.NumKvHeads, held.HeadDim, held.RowType) == (spec.Sequences, spec.NumKvHeads, spec.HeadDim, spec.RowType);
}
