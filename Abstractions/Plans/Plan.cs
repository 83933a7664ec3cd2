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

    /// <summary>The same program with more of what it computes as outputs: to see what led to its results.</summary>
    /// <param name="slots">Slots that an op of this plan writes and no input or output holds.</param>
    /// <exception cref="ArgumentException">A slot is none of these.</exception>
    public Plan Showing(params ReadOnlySpan<Slot> slots)
    {
        ImmutableArray<Slot> outputs = Outputs;
        foreach (Slot slot in slots)
        {
            bool computed = Ops.Any(op => op.Writes == slot) && slot.Previous is null && !outputs.Contains(slot);
            outputs = computed ? outputs.Add(slot) : throw new ArgumentException($"{slot?.Name} is no intermediate result of plan {Name}.", nameof(slots));
        }

        return new(Name, Symbols, Slots, Inputs, Ops, outputs);
    }

    /// <summary>The program as text, one op a line.</summary>
    public override string ToString() => PlanPrinter.Print(this);
}
