using System.Globalization;
using KvIL.Eviction.Scores;

namespace KvIL.Eviction;

public sealed partial record EvictionPolicy
{
    private static readonly (string, PoolKind)[] Pools = [("max", PoolKind.Max), ("avg", PoolKind.Avg)];

    private static readonly (string, PoolOrder)[] Orders =
        [("group-pool", PoolOrder.GroupThenPool), ("pool-group", PoolOrder.PoolThenGroup)];

    private static readonly (string, HeadAllocation)[] Allocations =
        [("blend", HeadAllocation.Blend), ("pure", HeadAllocation.Pure), ("floor", HeadAllocation.Floor), ("mask", HeadAllocation.Mask)];

    private static readonly (string, HeadWeights)[] Weightings = [("common", HeadWeights.Common), ("head", HeadWeights.PerHead)];

    private static readonly (string, bool)[] Numberings = [("kept", false), ("consecutive", true)];

    private static readonly (string, bool)[] Masses = [("plain", false), ("kept", true)];

    private static readonly (string, ReaderVote)[] Votes =
        [("max", ReaderVote.Max), ("mean", ReaderVote.Mean), ("sum", ReaderVote.Sum), ("owner", ReaderVote.Owner)];

    /// <summary>Names that <see cref="Parse"/> knows, without those that a prefix makes.</summary>
    public static IReadOnlyCollection<string> Names { get; } = [.. PolicyMethod.All.Select(method => method.Name)];

    /// <summary>Reads a policy; the type's remarks give the grammar.</summary>
    /// <remarks>
    /// Keys and defaults: <c>budget=20%</c>, <c>window=32</c>, <c>kernel=7</c> (odd), <c>pool=max|avg</c>,
    /// <c>order=group-pool|pool-group</c>, <c>alloc=blend|pure|floor|mask</c>, <c>floor=0.2</c> (not with <c>alloc=pure</c>),
    /// <c>weights=common|head</c>, <c>mass=plain|kept</c>, <c>heads=W:W/W:W</c> (<see cref="HeadTable"/>), <c>pieces=N</c>, <c>blocks=N</c> (<see cref="PiecesScore"/>, <see cref="BlocksScore"/>), <c>vote=max|mean|sum|owner</c>, <c>readers=0</c>, <c>positions=kept|consecutive</c>, <c>beta=20</c>, <c>sinks=0</c> (4 for <c>sliding</c>), <c>slack=64</c>; the
    /// numbers of a score by its own names (docs/methods.md). A name takes only the keys that it uses.
    /// </remarks>
    /// <exception cref="PolicyFormatException">The text is not a policy.</exception>
    public static EvictionPolicy Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        PolicyMethod method = PolicyMethod.Find(text.Split(':', 2)[0]);
        return Of(method, PolicyKeys.Read(text, method.Name, method.AllKeys));
    }

    /// <summary>A policy by a score of one's own.</summary>
    /// <param name="scorer">The score.</param>
    /// <param name="keys">Keys as in a policy's text after the name, such as <c>budget=20%,sinks=4,alloc=blend</c>; all may be left out.</param>
    /// <remarks>The keys are budget, window, sinks, slack, and alloc and floor for head budgets (<c>alloc</c> is uniform unless given). The text of such a policy does not parse back.</remarks>
    /// <exception cref="PolicyFormatException">The keys mean nothing.</exception>
    public static EvictionPolicy Of(IScorer scorer, string keys = "")
    {
        ArgumentNullException.ThrowIfNull(scorer);
        ArgumentNullException.ThrowIfNull(keys);
        PolicyMethod method = PolicyMethod.Own(scorer);
        bool adaptive = keys.Contains("alloc=", StringComparison.Ordinal);
        method = adaptive ? method.WithPrefix("ada-")! with { Name = scorer.Name } : method;
        return Of(method, PolicyKeys.Read(keys.Length == 0 ? method.Name : $"{method.Name}:{keys}", method.Name, method.AllKeys));
    }

    private static EvictionPolicy Of(PolicyMethod method, PolicyKeys keys)
    {
        HeadTable? table = keys.Has("heads") ? HeadTable.Parse(keys["heads"]) : null;
        HeadAllocation heads = table is not null ? HeadAllocation.Table
            : keys.Has("alloc") || (keys.Uses("alloc") && method.Layers != LayerAllocation.Global) ? keys.Choice("alloc", Allocations) : method.Heads ?? HeadAllocation.Uniform;
        bool floor = heads is HeadAllocation.Blend or HeadAllocation.Floor or HeadAllocation.Mask;
        if (!floor && keys.Has("floor"))
        {
            throw new PolicyFormatException("alloc=pure does not use floor; expected alloc=blend or alloc=floor with it.");
        }

        if (table is not null && (keys.Choice("positions", Numberings) || keys.Decimal("readers", "0").Numerator > 0))
        {
            throw new PolicyFormatException(keys.Has("readers")
                ? "readers divides rows over layers, and so does heads; leave one of them out."
                : "positions=consecutive needs heads of equal length, and heads gives each its own; leave one of them out.");
        }

        bool pools = keys.Uses("pool");
        bool pyramid = method.Layers == LayerAllocation.Pyramid;
        return new()
        {
            Method = method,
            Name = method.Name,
            NamedBudget = keys.Has("budget") ? Budget.Parse(keys["budget"]) : null,
            Rule = method.Rule?.Invoke(keys),
            Window = keys.Uses("window") ? keys.Number("window", method.Window, method.ScoresByWindow ? 1 : 0) : 0,
            Kernel = pools ? keys.Odd("kernel", 7) : 1,
            Pool = keys.Choice("pool", Pools),
            Order = keys.Choice("order", Orders),
            Heads = heads,
            Table = table,
            Floor = floor ? keys.Share("floor", "0.2", MaxFloorDenominator) : default,
            Weights = keys.Choice("weights", Weightings),
            Rerotates = keys.Choice("positions", Numberings),
            ScalesByMass = keys.Choice("mass", Masses),
            Critical = method.Name.EndsWith("criticalkv", StringComparison.Ordinal) ? keys.Decimal("epsilon", "0.0001") : null,
            Chunk = method.Name == "chunkkv" ? keys.Number("chunk", 20, 1) : 1,
            Layers = method.Layers,
            Vote = keys.Choice("vote", Votes),
            ReaderPower = keys.Decimal("readers", "0"),
            Beta = pyramid ? keys.Number("beta", 20, 1) : 1,
            Sinks = keys.Uses("sinks") ? keys.Number("sinks", method.Sinks, 0) : 0,
            Slack = keys.Uses("slack") ? keys.Number("slack", 64, 0) : 0,
        };
    }

    /// <summary>The policy with every key that it uses, in one order; parses back to an equal policy.</summary>
    /// <remarks>A budget that nobody named is left out, and so stays unnamed.</remarks>
    public override string ToString()
    {
        IEnumerable<string> pairs = Method.AllKeys.Select(key => (key, value: Print(key))).Where(p => p.value is not null)
            .Select(p => $"{p.key}={p.value}");
        string keys = string.Join(',', pairs);
        return keys.Length == 0 ? Name : $"{Name}:{keys}";
    }

    private string? Print(string key) => key switch
    {
        "budget" => NamedBudget?.ToString(),
        "window" => Print(Window),
        "kernel" when Rule is CakeScore cake => Print(cake.Kernel),
        "kernel" => Print(Kernel),
        "pool" => Word(Pools, Pool),
        "order" => Word(Orders, Order),
        "alloc" => Heads == HeadAllocation.Pure && Layers == LayerAllocation.Global ? null : Word(Allocations, Heads),
        "floor" => Heads == HeadAllocation.Pure ? null : Floor.ToString(),
        "weights" => Weights == HeadWeights.Common ? null : Word(Weightings, Weights),
        "heads" => Table?.ToString(),
        "positions" => Rerotates ? Word(Numberings, Rerotates) : null,
        "mass" => ScalesByMass ? Word(Masses, ScalesByMass) : null,
        "vote" => Vote == ReaderVote.Max ? null : Word(Votes, Vote),
        "readers" => ReaderPower.Numerator == 0 ? null : ReaderPower.ToString(),
        "beta" => Print(Beta),
        "sinks" => Print(Sinks),
        "slack" => Print(Slack),
        "epsilon" when Critical is Ratio epsilon => epsilon.ToString(),
        "chunk" when Rule is null => Print(Chunk),
        "pieces" => Rule is PiecesScore pieces ? Print(pieces.Length) : null,
        "blocks" => Rule is BlocksScore blocks ? Print(blocks.Length) : null,
        _ => Print(Rule!, key),
    };

    private static string Print(ScoreRule rule, string key) => (rule, key) switch
    {
        (PiecesScore s, _) => Print(s.Inner, key),
        (BlocksScore s, _) => Print(s.Inner, key),
        (ExpectedAttentionScore s, "future") => Print(s.Future),
        (ExpectedAttentionScore s, "epsilon") => s.Epsilon.ToString(),
        (LagKvScore s, "lag") => Print(s.Lag),
        (CakeScore s, "gamma") => s.Gamma.ToString(),
        (CurDkvScore s, "local") => Print(s.Local),
        (NonCausalAttentionScore s, "chunk") => Print(s.Chunk),
        (LeverageScore s, "jitter") => s.Jitter.ToString(),
        (CapKvScore s, "tau") => s.Tau.ToString(),
        (CapKvScore s, "future") => Print(s.Future),
        (RandomRowsScore s, "seed") => Print(s.Seed),
        _ => throw new InvalidOperationException($"{rule} has no key {key}."),
    };

    private static string Word<T>((string Word, T Value)[] choices, T value) =>
        choices.First(c => EqualityComparer<T>.Default.Equals(c.Value, value)).Word;

    private static string Print(int number) => number.ToString(CultureInfo.InvariantCulture);
}
