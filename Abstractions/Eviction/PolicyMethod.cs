using KvIL.Eviction.Scores;

namespace KvIL.Eviction;

/// <summary>One way of ranking rows: the name that policies use, the keys that it takes, and what they mean.</summary>
/// <param name="Name">The name.</param>
/// <param name="Keys">Keys of its own, in the order in which they are printed.</param>
/// <param name="Needs">What the scores read; none ranks by position.</param>
/// <param name="Rule">The score; null for those that are ops of their own (window attention, column sums, recency).</param>
/// <param name="Sinks">First rows that are kept unless the text says otherwise.</param>
/// <param name="Window">Last rows that are kept unless the text says otherwise.</param>
/// <param name="Layers">How rows are split over layers.</param>
/// <param name="Heads">How rows are split over heads, unless the text says otherwise; null where it cannot say.</param>
internal sealed record PolicyMethod(
    string Name, string[] Keys, ScoreNeeds Needs, Func<PolicyKeys, ScoreRule>? Rule = null, int Sinks = 0, int Window = 0,
    LayerAllocation Layers = LayerAllocation.Uniform, HeadAllocation? Heads = null)
{
    private const string AdaPrefix = "ada-";
    private const string GlobalPrefix = "global-";

    // With those that a prefix makes.
    private static IEnumerable<PolicyMethod> Every =>
        All.Concat(from prefix in (string[])[AdaPrefix, GlobalPrefix] from method in All select method.WithPrefix(prefix)).OfType<PolicyMethod>();

    // Windows of attention score as many queries as they protect, and need one.
    private static readonly string[] Attention = ["window", "kernel", "pool", "order"];

    /// <summary>The method of each name, without those that a prefix makes.</summary>
    public static IReadOnlyList<PolicyMethod> All { get; } =
    [
        new("full", [], ScoreNeeds.None),
        new("sliding", ["budget", "positions", "sinks", "slack"], ScoreNeeds.None, Sinks: 4),
        new("snapkv", ["budget", .. Attention, "heads", "positions", "sinks", "slack"], ScoreNeeds.WindowQueries, Window: 32),
        new("ada-snapkv", ["budget", .. Attention, "alloc", "floor", "weights", "mass", "sinks", "slack"], ScoreNeeds.WindowQueries, Window: 32, Heads: HeadAllocation.Blend),
        new("pyramidkv", ["budget", .. Attention, "beta", "sinks", "slack"], ScoreNeeds.WindowQueries, Window: 32, Layers: LayerAllocation.Pyramid),
        new("ada-pyramid", ["budget", .. Attention, "alloc", "floor", "weights", "mass", "beta", "sinks", "slack"], ScoreNeeds.WindowQueries, Window: 32, Layers: LayerAllocation.Pyramid, Heads: HeadAllocation.Blend),
        new("global-snapkv", ["budget", .. Attention, "alloc", "floor", "weights", "sinks", "slack"], ScoreNeeds.WindowQueries, Window: 32, Layers: LayerAllocation.Global, Heads: HeadAllocation.Pure),
        new("criticalkv", ["budget", .. Attention, "epsilon", "heads", "positions", "sinks", "slack"], ScoreNeeds.WindowQueries | ScoreNeeds.Values | ScoreNeeds.OutputProjection, Window: 32),
        new("chunkkv", ["budget", .. Attention, "chunk", "positions", "sinks", "slack"], ScoreNeeds.WindowQueries, Window: 32),
        new("h2o", Plain(["window"]), ScoreNeeds.ColumnSums, Window: 32),
        new("prefixkv", ["budget", "sinks", "window", "slack"], ScoreNeeds.ColumnSums, Sinks: 1, Window: 1, Layers: LayerAllocation.Prefix),
        Scored("observed", new ObservedAttentionScore()),
        Scored("tova", new TovaScore()) with { Window = 1 },
        Scored("knorm", new KnormScore()),
        Scored("keydiff", new KeyDiffScore()),
        Scored("expected", k => new ExpectedAttentionScore(k.Number("future", 512, 1), k.Decimal("epsilon", "0")), ["future", "epsilon"]) with { Sinks = 4 },
        Scored("lagkv", k => new LagKvScore(k.Number("lag", 128, 2)), ["lag"]) with { Sinks = 4 },
        Scored("finch", new FinchScore()) with { Window = 32 },
        new("cake", ["budget", "gamma", "kernel", "window", "sinks", "slack"], ScoreNeeds.WindowQueries | ScoreNeeds.Keys, k => new CakeScore(k.Decimal("gamma", "200"), k.Odd("kernel", 5)), Window: 32, Layers: LayerAllocation.Cake),
        Scored("curdkv", k => new CurDkvScore(k.Number("local", 16, 0)), ["local"]) with { Sinks = 4 },
        Scored("noncausal", k => new NonCausalAttentionScore(k.Number("chunk", 256, 1)), ["chunk"]),
        Scored("leverage", k => new LeverageScore(k.Decimal("jitter", "0.01")), ["jitter"]),
        Scored("capkv", k => new CapKvScore(k.Decimal("tau", "5"), k.Number("future", 512, 1)), ["tau", "future"]) with { Sinks = 4 },
        Scored("qfilter", new QFilterScore()),
        Scored("random", k => new RandomRowsScore(k.Number("seed", 0, 0)), ["seed"]),
    ];

    /// <summary>Keys, with those that every score takes for stores that several layers read.</summary>
    public IEnumerable<string> AllKeys => Needs == ScoreNeeds.None && Rule is null ? Keys
        : Layers == LayerAllocation.Uniform ? [.. Keys, "vote", "readers"] : [.. Keys, "vote"];

    /// <summary>Whether both have the same name.</summary>
    public bool Equals(PolicyMethod? other) => Name == other?.Name;

    /// <inheritdoc/>
    public override int GetHashCode() => Name.GetHashCode(StringComparison.Ordinal);

    /// <summary>Whether the last queries that score are as many as the window that is kept.</summary>
    public bool ScoresByWindow => (Needs & ScoreNeeds.WindowQueries) != 0;

    /// <summary>The method of a name, <c>ada-</c> and <c>global-</c> before any score included.</summary>
    /// <exception cref="PolicyFormatException">There is none; the sentence names the nearest.</exception>
    public static PolicyMethod Find(string name) => TryFind(name) ?? throw new PolicyFormatException(
        $"Unknown policy '{name}'; the nearest is {Nearest(name, Every).Name}, and there are {string.Join(", ", All.Select(m => m.Name))}, and ada- or global- before a score.");

    /// <summary>The method nearest in name that takes a key; null where none does.</summary>
    public static PolicyMethod? Taking(string key, string name) =>
        Every.Where(method => method.AllKeys.Contains(key)).ToArray() is { Length: > 0 } takers ? Nearest(name, takers) : null;

    /// <summary>A method of which the user wrote the score.</summary>
    public static PolicyMethod Own(IScorer scorer) =>
        Scored(scorer.Name, new HostScore(scorer)) is var method && (scorer.Needs & ScoreNeeds.WindowQueries) != 0 ? method with { Window = 32 } : method;

    /// <summary>The method with head budgets of its own, or with one total for all heads of all layers.</summary>
    public PolicyMethod? WithPrefix(string prefix) => this switch
    {
        { Layers: LayerAllocation.Prefix or LayerAllocation.Cake } or { Heads: not null } or { Name: "full" or "sliding" or "chunkkv" or "pyramidkv" } => null,
        _ when prefix == AdaPrefix => this with { Name = prefix + Name, Keys = InPlaceOfPositions("alloc", "floor"), Heads = HeadAllocation.Blend },
        { Name: "criticalkv" } => null,
        _ => this with { Name = prefix + Name, Keys = InPlaceOfPositions("alloc", "floor"), Heads = HeadAllocation.Pure, Layers = LayerAllocation.Global },
    };

    private static PolicyMethod? TryFind(string name)
    {
        PolicyMethod? exact = All.FirstOrDefault(m => m.Name == name);
        if (exact is not null) return exact;
        foreach (string prefix in (ReadOnlySpan<string>)[AdaPrefix, GlobalPrefix])
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal)) return All.FirstOrDefault(m => m.Name == name[prefix.Length..])?.WithPrefix(prefix);
        }

        return null;
    }

    // Names that end like the word come first; long words are cut, so that no text takes long.
    private static PolicyMethod Nearest(string name, IEnumerable<PolicyMethod> methods)
    {
        string word = name.Length > 40 ? name[..40] : name;
        return methods.MinBy(m => (EndsAlike(word, m.Name) ? 0 : 1, EditDistance.Between(word, m.Name)))!;
    }

    private static bool EndsAlike(string a, string b) =>
        a.Length > 1 && (a.EndsWith(b, StringComparison.OrdinalIgnoreCase) || b.EndsWith(a, StringComparison.OrdinalIgnoreCase));

    private static PolicyMethod Scored(string name, ScoreRule rule) => Scored(name, _ => rule, []);

    // The needs do not depend on the keys.
    private static PolicyMethod Scored(string name, Func<PolicyKeys, ScoreRule> rule, string[] own) =>
        new(name, Plain([.. own, "window"], rule(PolicyKeys.None).ScoresParts ? ["pieces", "blocks"] : []), rule(PolicyKeys.None).Needs, keys => InParts(rule(keys), keys));

    // What rows alone decide can be asked of parts of a run.
    private static ScoreRule InParts(ScoreRule rule, PolicyKeys keys)
    {
        (int pieces, int blocks) = (keys.Number("pieces", 0, 1), keys.Number("blocks", 0, 1));
        return (pieces, blocks) switch
        {
            (0, 0) => rule,
            (_, 0) => new PiecesScore(rule, pieces),
            (0, _) => new BlocksScore(rule, blocks),
            _ => throw new PolicyFormatException("pieces scores the parts of a run one by one, and blocks one after the other; leave one of them out."),
        };
    }

    private static string[] Plain(string[] own, params string[] parts) => ["budget", .. own, "heads", .. parts, "positions", "sinks", "slack"];

    // Positions can be made consecutive only where all heads of all layers keep equally many rows; a table of heads leaves nothing to compete for.
    private string[] InPlaceOfPositions(params string[] keys) => [.. Keys.TakeWhile(key => key is not ("heads" or "positions")), .. keys, "sinks", "slack"];
}
