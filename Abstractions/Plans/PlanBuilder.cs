using System.Runtime.CompilerServices;
using KvIL.Ops;
using KvIL.Tensors;

namespace KvIL.Plans;

/// <summary>Builds plans. The only place where shapes are inferred and refused.</summary>
/// <remarks>One file holds the ops of the transformer, one those of eviction.</remarks>
public sealed partial class PlanBuilder
{
    private readonly List<Symbol> _symbols = [];
    private readonly List<Slot> _slots = [];
    private readonly List<Slot> _inputs = [];
    private readonly List<Slot> _outputs = [];
    private readonly List<Op> _ops = [];

    /// <summary>Declares an integer bound at enqueue, from 0 to <paramref name="max"/>.</summary>
    public Symbol Symbol(string name, int max)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(max);
        Symbol symbol = new(_symbols.Count, name, max);
        _symbols.Add(symbol);
        return symbol;
    }

    /// <summary>Declares a value that the caller binds: a weight, a tensor or a state. A second call with the same name and spec gives the same slot.</summary>
    /// <exception cref="ArgumentException">The name stands for another spec already.</exception>
    public Slot Input(string name, Spec spec)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(spec);
        Slot? known = _inputs.Find(s => s.Name == name);
        if (known is not null)
        {
            return known.Spec == spec ? known
                : throw new ArgumentException($"{name}: declared as {known.Spec}, then as {spec}.", nameof(name));
        }

        Slot slot = NewSlot(name, spec);
        _inputs.Add(slot);
        return slot;
    }

    /// <summary>Declares a result that the caller binds.</summary>
    /// <returns><paramref name="slot"/>.</returns>
    /// <exception cref="ArgumentException">The slot is an input, or a version of one.</exception>
    public Slot Output(Slot slot)
    {
        ArgumentNullException.ThrowIfNull(slot);
        if (_inputs.Contains(slot.Root))
        {
            throw new ArgumentException($"{slot.Name} is bound as an input already.", nameof(slot));
        }

        _outputs.Add(slot);
        return slot;
    }

    /// <summary>Freezes the plan.</summary>
    public Plan Build(string name) => new(name, [.. _symbols], [.. _slots], [.. _inputs], [.. _ops], [.. _outputs]);

    private Slot NewSlot(string name, Spec spec, Slot? previous = null)
    {
        Slot slot = new(_slots.Count, name, spec, previous);
        _slots.Add(slot);
        return slot;
    }

    private Slot F32(params ReadOnlySpan<Dim> dims) => NewSlot("", new TensorSpec(DType.F32, dims));

    private Slot NextVersion(Slot state) => NewSlot(state.Name, state.Spec, state);

    private Slot Add(Op op)
    {
        _ops.Add(op);
        return op.Writes;
    }

    // One form for every refusal: what was expected, what was given, under the argument's own name.
    private static void Expect(Slot slot, DType type, ReadOnlySpan<Dim> dims, [CallerArgumentExpression(nameof(slot))] string? name = null)
    {
        ArgumentNullException.ThrowIfNull(slot, name);
        TensorSpec expected = new(type, dims);
        if (slot.Spec is not TensorSpec actual || actual != expected)
        {
            throw new ArgumentException($"expected {expected}, got {slot.Spec}.", name);
        }
    }

    private static void ExpectWeight(Slot slot, ReadOnlySpan<Dim> dims, [CallerArgumentExpression(nameof(slot))] string? name = null)
    {
        ArgumentNullException.ThrowIfNull(slot, name);
        if (slot.Spec is not TensorSpec actual || actual.Type == DType.I32 || !actual.Shape.Equals(new Shape(dims)))
        {
            throw new ArgumentException($"expected a weight {new Shape(dims)}, got {slot.Spec}.", name);
        }

        Require(
            !actual.Type.IsQuantized(), $"expected F32, F16 or BF16 (only matrices may be quantised), got {slot.Spec}.", name!);
    }

    // A weight in any stored type; a quantised one in whole blocks.
    private static void ExpectStored(Slot slot, ReadOnlySpan<Dim> dims, [CallerArgumentExpression(nameof(slot))] string? name = null)
    {
        ArgumentNullException.ThrowIfNull(slot, name);
        if (slot.Spec is not TensorSpec { Type: not DType.I32 } actual || !actual.Shape.Equals(new Shape(dims)))
        {
            throw new ArgumentException($"expected a weight {new Shape(dims)}, got {slot.Spec}.", name);
        }

        Require(
            actual.HasWholeBlocks, $"expected rows of whole blocks of {actual.Type.BlockElements()} elements, got {slot.Spec}.", name!);
    }

    private static (Dim N, Dim Width) ExpectMatrix(Slot slot, [CallerArgumentExpression(nameof(slot))] string? name = null)
    {
        ArgumentNullException.ThrowIfNull(slot, name);
        return slot.Spec is TensorSpec { Type: DType.F32, Shape.Rank: 2 } spec
            ? (spec.Shape[0], spec.Shape[1])
            : throw new ArgumentException($"expected F32[n, width], got {slot.Spec}.", name);
    }

    private static StoreSpec ExpectStore(Slot slot, [CallerArgumentExpression(nameof(slot))] string? name = null)
    {
        ArgumentNullException.ThrowIfNull(slot, name);
        return slot.Spec as StoreSpec ?? throw new ArgumentException($"expected a store, got {slot.Spec}.", name);
    }

    private static void Require(bool condition, string message, string name)
    {
        if (!condition)
        {
            throw new ArgumentException(message, name);
        }
    }
}
