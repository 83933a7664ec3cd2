using System.Globalization;

namespace KvIL.Eviction;

public sealed partial record EvictionPolicy
{
    private static readonly Dictionary<string, string[]> KeysOf = new()
    {
        ["full"] = [],
        ["sliding"] = ["budget", "sinks", "slack"],
        ["snapkv"] = ["budget", "window", "kernel", "pool", "order", "sinks", "slack"],
        ["ada-snapkv"] = ["budget", "window", "kernel", "pool", "order", "alloc", "floor", "sinks", "slack"],
        ["pyramidkv"] = ["budget", "window", "kernel", "pool", "order", "beta", "sinks", "slack"],
        ["ada-pyramid"] = ["budget", "window", "kernel", "pool", "order", "alloc", "floor", "beta", "sinks", "slack"],
    };

    private static readonly (string, PoolKind)[] Pools = [("max", PoolKind.Max), ("avg", PoolKind.Avg)];

    private static readonly (string, PoolOrder)[] Orders =
        [("group-pool", PoolOrder.GroupThenPool), ("pool-group", PoolOrder.PoolThenGroup)];

    private static readonly (string, HeadAllocation)[] Allocations =
        [("blend", HeadAllocation.Blend), ("pure", HeadAllocation.Pure), ("floor", HeadAllocation.Floor)];

    /// <summary>Names that <see cref="Parse"/> knows.</summary>
    public static IReadOnlyCollection<string> Names => KeysOf.Keys;

    /// <summary>Reads a policy; the type's remarks give the grammar.</summary>
    /// <remarks>
    /// Keys and defaults: <c>budget=20%</c>, <c>window=32</c>, <c>kernel=7</c> (odd), <c>pool=max|avg</c>,
    /// <c>order=group-pool|pool-group</c>, <c>alloc=blend|pure|floor</c>, <c>floor=0.2</c> (not with <c>alloc=pure</c>),
    /// <c>beta=20</c>, <c>sinks=0</c> (4 for <c>sliding</c>), <c>slack=64</c>. A name takes only the keys that it uses.
    /// </remarks>
    /// <exception cref="PolicyFormatException">The text is not a policy.</exception>
    public static EvictionPolicy Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string name = text.Split(':', 2)[0];
        if (!KeysOf.TryGetValue(name, out string[]? allowed))
        {
            throw new PolicyFormatException($"Unknown policy '{name}'; expected one of {string.Join(", ", Names)}.");
        }

        PolicyKeys keys = PolicyKeys.Read(text, name, allowed);
        HeadAllocation heads = keys.Uses("alloc") ? keys.Choice("alloc", Allocations) : HeadAllocation.Uniform;
        bool floor = heads is HeadAllocation.Blend or HeadAllocation.Floor;
        if (!floor && keys.Has("floor"))
        {
            throw new PolicyFormatException("alloc=pure does not use floor; expected alloc=blend or alloc=floor with it.");
        }

        bool scores = keys.Uses("window");
        bool pyramid = keys.Uses("beta");
        return new()
        {
            Name = name,
            NamedBudget = keys.Has("budget") ? Budget.Parse(keys["budget"]) : null,
            UsesScores = scores,
            Window = scores ? keys.Number("window", 32, 1) : 0,
            Kernel = scores ? keys.Odd("kernel", 7) : 1,
            Pool = keys.Choice("pool", Pools),
            Order = keys.Choice("order", Orders),
            Heads = heads,
            Floor = floor ? keys.Share("floor", "0.2", MaxFloorDenominator) : default,
            Layers = pyramid ? LayerAllocation.Pyramid : LayerAllocation.Uniform,
            Beta = pyramid ? keys.Number("beta", 20, 1) : 1,
            Sinks = keys.Uses("sinks") ? keys.Number("sinks", scores ? 0 : 4, 0) : 0,
            Slack = keys.Uses("slack") ? keys.Number("slack", 64, 0) : 0,
        };
    }

    /// <summary>The policy with every key that it uses, in one order; parses back to an equal policy.</summary>
    /// <remarks>A budget that nobody named is left out, and so stays unnamed.</remarks>
    public override string ToString()
    {
        IEnumerable<string> pairs = KeysOf[Name].Select(key => (key, value: Print(key))).Where(p => p.value is not null)
            .Select(p => $"{p.key}={p.value}");
        string keys = string.Join(',', pairs);
        return keys.Length == 0 ? Name : $"{Name}:{keys}";
    }

    private string? Print(string key) => key switch
    {
        "budget" => NamedBudget?.ToString(),
        "window" => Print(Window),
        "kernel" => Print(Kernel),
        "pool" => Pools.First(c => c.Item2 == Pool).Item1,
        "order" => Orders.First(c => c.Item2 == Order).Item1,
        "alloc" => Allocations.First(c => c.Item2 == Heads).Item1,
        "floor" => Heads == HeadAllocation.Pure ? null : Floor.ToString(),
        "beta" => Print(Beta),
        "sinks" => Print(Sinks),
        _ => Print(Slack),
    };

    private static string Print(int number) => number.ToString(CultureInfo.InvariantCulture);
}
