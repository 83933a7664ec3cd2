using KvIL.Backends;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Oracle;

/// <summary>One run of a plan: the value of every slot, with the extents that the bound symbols give.</summary>
internal sealed class OracleFrame
{
    private readonly int[] _symbols;
    private readonly IBuffer[] _values;

    /// <summary>Takes bound buffers, and fresh tensors for all other slots. Versions of a state share the buffer of their root.</summary>
    /// <exception cref="ArgumentException">An input or output is not bound, or bound to something unfit.</exception>
    public OracleFrame(Plan plan, Bindings bindings)
    {
        _symbols = bindings.Symbols.ToArray();
        _values = new IBuffer[plan.Slots.Length];
        foreach (Slot slot in plan.Inputs.Concat(plan.Outputs))
        {
            _values[slot.Root.Id] = Fit(slot, bindings.Buffers[slot.Id]);
        }

        foreach (Slot slot in plan.Slots)
        {
            _values[slot.Root.Id] ??= slot.Spec is TensorSpec spec
                ? new OracleTensor(spec)
                : throw new ArgumentException($"{slot.Name}: a fresh store must be an output of plan {plan.Name}.", nameof(plan));
        }
    }

    /// <summary>The value of a bound integer.</summary>
    public int Value(Dim dim) => dim.Value(_symbols);

    /// <summary>A floating tensor as rows of its innermost axis; a vector is one row.</summary>
    public Matrix Reals(Slot slot)
    {
        int width = Value(slot.Tensor.Shape[^1]);
        return Tensor(slot).Reals(width == 0 ? 0 : Elements(slot.Tensor.Shape) / width, width);
    }

    /// <summary>An integer vector.</summary>
    public ArraySegment<int> Integers(Slot slot) => Tensor(slot).Integers[..Elements(slot.Tensor.Shape)];

    /// <summary>A store.</summary>
    public OracleStore Store(Slot slot) => (OracleStore)_values[slot.Root.Id];

    private OracleTensor Tensor(Slot slot) => (OracleTensor)_values[slot.Root.Id];

    private IBuffer Fit(Slot slot, IBuffer? buffer)
    {
        bool fits = (slot.Spec, buffer) switch
        {
            (TensorSpec spec, OracleTensor tensor) =>
                tensor.Tensor.Type == spec.Type && tensor.Tensor.Shape.MaxElements >= Elements(spec.Shape),
            (StoreSpec spec, OracleStore store) => store.StoreSpec with { Rows = spec.Rows } == spec,
            _ => false,
        };
        return fits ? buffer! : throw new ArgumentException($"{slot.Name}: expected {slot.Spec}, got {buffer?.Spec.ToString() ?? "nothing"}.");
    }

    private int Elements(Shape shape)
    {
        int count = 1;
        for (int axis = 0; axis < shape.Rank; axis++)
        {
            count *= Value(shape[axis]);
        }

        return count;
    }
}
