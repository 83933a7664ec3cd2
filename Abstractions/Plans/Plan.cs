using System.Collections.Immutable;
using KvIL.Ops;
using KvIL.Tensors;

namespace KvIL.Plans;

/// <summary>An immutable, backend-neutral program over slots in single-assignment form.</summary>
/// <remarks>
/// Ops stand in dependency order. Every input and output is bound by the caller at each enqueue; all other slots
/// live in the queue's scratch arena. A later version of a state shares the memory of its <see cref="Slot.Root"/>.
/// </remarks>
public sealed class Plan
{
    internal Plan(
        string name,
        ImmutableArray<Symbol> symbols,
        ImmutableArray<Slot> slots,
        ImmutableArray<Slot> inputs,
        ImmutableArray<Op> ops,
        ImmutableArray<Slot> outputs) =>
        (Name, Symbols, Slots, Inputs, Ops, Outputs) = (name, symbols, slots, inputs, ops, outputs);

    /// <summary>Name for printing.</summary>
    public string Name { get; }

    /// <summary>Integers bound at enqueue, by id.</summary>
    public ImmutableArray<Symbol> Symbols { get; }

    /// <summary>Every slot, by id.</summary>
    public ImmutableArray<Slot> Slots { get; }

    /// <summary>Slots bound by the caller: weights, tokens, states.</summary>
    public ImmutableArray<Slot> Inputs { get; }

    /// <summary>Ops in dependency order.</summary>
    public ImmutableArray<Op> Ops { get; }

    /// <summary>Results, bound by the caller.</summary>
    public ImmutableArray<Slot> Outputs { get; }

    /// <summary>The program as text, one op a line.</summary>
    public override string ToString() => PlanPrinter.Print(this);
}
