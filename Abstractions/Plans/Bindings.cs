using KvIL.Backends;
using KvIL.Tensors;

namespace KvIL.Plans;

/// <summary>What a plan leaves open, filled in: a buffer for each input and output, a value for each symbol.</summary>
/// <remarks>Made once and enqueued often: setting a binding and enqueuing allocate nothing.</remarks>
public sealed class Bindings
{
    private readonly IBuffer?[] _buffers;
    private readonly bool[] _isBindable;
    private readonly int[] _symbols;

    /// <summary>Empty bindings of <paramref name="plan"/>.</summary>
    public Bindings(Plan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        Plan = plan;
        _buffers = new IBuffer?[plan.Slots.Length];
        _symbols = new int[plan.Symbols.Length];
        _isBindable = new bool[plan.Slots.Length];
        foreach (Slot slot in plan.Inputs.Concat(plan.Outputs))
        {
            _isBindable[slot.Id] = true;
        }
    }

    /// <summary>The plan that these bindings complete.</summary>
    public Plan Plan { get; }

    /// <summary>Buffers by slot id; null where nothing is bound.</summary>
    public ReadOnlySpan<IBuffer?> Buffers => _buffers;

    /// <summary>Values by symbol id.</summary>
    public ReadOnlySpan<int> Symbols => _symbols;

    /// <summary>Binds an input or output.</summary>
    /// <exception cref="ArgumentException">The slot is no input or output of the plan.</exception>
    public IBuffer this[Slot slot]
    {
        set
        {
            ArgumentNullException.ThrowIfNull(slot);
            ArgumentNullException.ThrowIfNull(value);
            if (slot.Id >= Plan.Slots.Length || Plan.Slots[slot.Id] != slot || !_isBindable[slot.Id])
            {
                throw new ArgumentException($"{slot.Name} is neither an input nor an output of plan {Plan.Name}.", nameof(slot));
            }

            _buffers[slot.Id] = value;
        }
    }

    /// <summary>Binds a value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative or above the symbol's maximum.</exception>
    public int this[Symbol symbol]
    {
        set
        {
            ArgumentNullException.ThrowIfNull(symbol);
            ArgumentOutOfRangeException.ThrowIfNegative(value, symbol.Name);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, symbol.Max, symbol.Name);
            _symbols[symbol.Id] = value;
        }
    }

    /// <summary>Binds every input that <paramref name="weights"/> has by name.</summary>
    /// <returns>These bindings.</returns>
    public Bindings BindByName(IReadOnlyDictionary<string, IBuffer> weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        foreach (Slot input in Plan.Inputs)
        {
            if (weights.TryGetValue(input.Name, out IBuffer? buffer))
            {
                _buffers[input.Id] = buffer;
            }
        }

        return this;
    }
}
