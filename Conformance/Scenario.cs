using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance;

/// <summary>A plan together with its inputs: what a law runs, unchanged, on every backend.</summary>
public sealed class Scenario(string name)
{
    private readonly Dictionary<Slot, HostValue> _inputs = [];
    private readonly Dictionary<Slot, long> _freshStores = [];
    private readonly Dictionary<Symbol, int> _symbols = [];
    private Plan? _plan;

    /// <summary>Where the ops are added.</summary>
    public PlanBuilder Builder { get; } = new();

    /// <summary>The plan; adding to the builder ends here.</summary>
    public Plan Plan => _plan ??= Builder.Build(name);

    /// <summary>A plan made elsewhere with its inputs, its integers and the pool rows of the stores that it makes.</summary>
    internal static Scenario Of(
        Plan plan, IReadOnlyDictionary<Slot, HostValue> inputs, IReadOnlyDictionary<Symbol, int> symbols, params ReadOnlySpan<(Slot Store, long Rows)> fresh)
    {
        Scenario scenario = new(plan.Name) { _plan = plan };
        foreach ((Slot slot, HostValue value) in inputs) scenario._inputs.Add(slot, value);
        foreach ((Symbol symbol, int value) in symbols) scenario._symbols.Add(symbol, value);
        foreach ((Slot store, long rows) in fresh) scenario._freshStores.Add(store, rows);
        return scenario;
    }

    internal IReadOnlyDictionary<Slot, HostValue> Inputs => _inputs;

    /// <summary>Rows of the pool of each fresh store.</summary>
    internal IReadOnlyDictionary<Slot, long> FreshStores => _freshStores;

    internal IReadOnlyDictionary<Symbol, int> Symbols => _symbols;

    /// <summary>An integer of the plan that is bound to <paramref name="value"/>, below its maximum unless told, so that scratch and extents differ.</summary>
    public Dim Bind(string symbol, int value, int? max = null)
    {
        Symbol bound = Builder.Symbol(symbol, max ?? value + 3);
        _symbols[bound] = value;
        return bound;
    }

    /// <summary>Declares an input with its value. A store's slot leaves the pool's size open.</summary>
    public Slot Input(string slot, HostValue value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return Declare(slot, value, value is HostStore store ? store.Store with { Rows = 0 } : value.Spec);
    }

    /// <summary>Declares a tensor with its value, with extents that are symbols in the plan.</summary>
    public Slot Input(string slot, HostTensor value, Dim outermost, params ReadOnlySpan<Dim> others)
    {
        ArgumentNullException.ThrowIfNull(value);
        return Declare(slot, value, value.Tensor with { Shape = new Shape([outermost, .. others]) });
    }

    /// <summary>Declares a result.</summary>
    public Slot Output(Slot slot) => Builder.Output(slot);

    /// <summary>Declares a fresh store as a result, in a pool of <paramref name="rows"/> rows.</summary>
    public Slot Output(Slot slot, long rows)
    {
        _freshStores[slot] = rows;
        return Builder.Output(slot);
    }

    private Slot Declare(string slot, HostValue value, Spec spec)
    {
        Slot declared = Builder.Input(slot, spec);
        _inputs[declared] = value;
        return declared;
    }
}
