using KvIL.Eviction.Scores;

namespace KvIL.Eviction;

/// <summary>What a cache forgets: a method, its budget and its parameters, as one line of text.</summary>
/// <remarks>
/// <code>NAME[:key=value,...]      ada-snapkv:budget=20%,window=32,floor=0.2</code>
/// <list type="table">
/// <item><term><c>full</c></term><description>nothing; takes no keys</description></item>
/// <item><term><c>sliding</c></term><description>keeps the sinks and the most recent rows (StreamingLLM)</description></item>
/// <item><term><c>snapkv</c></term><description>keeps what the last window of queries attended to (SnapKV)</description></item>
/// <item><term><c>ada-snapkv</c></term><description>snapkv, with budgets per head (Ada-KV)</description></item>
/// <item><term><c>pyramidkv</c></term><description>snapkv, with budgets that fall with depth (PyramidKV)</description></item>
/// <item><term><c>ada-pyramid</c></term><description>both</description></item>
/// <item><term>others</term><description>every published score by its name (docs/methods.md); <c>ada-</c> before one gives it budgets per head, <c>global-</c> one total for all heads of all layers</description></item>
/// </list>
/// A property that the method does not use has the neutral value given with it, so equal policies do the same.
/// </remarks>
public sealed partial record EvictionPolicy
{
    /// <summary>
    /// Largest number that any key accepts: more than any context, and sums of a few stay inside 32 bits.
    /// </summary>
    public const int MaxNumber = 1 << 24;

    /// <summary>
    /// Largest denominator of <see cref="Floor"/>, six decimals: keeps <see cref="HeadShares.Fits"/> true for 4096
    /// heads.
    /// </summary>
    public const int MaxFloorDenominator = 1_000_000;

    private EvictionPolicy()
    {
    }

    /// <summary>Keeps everything.</summary>
    public static EvictionPolicy Full => Parse("full");

    /// <summary>The policy's name, as written.</summary>
    public string Name { get; private init; } = "full";

    /// <summary>The budget that the text named, else <see cref="Budget.Default"/>.</summary>
    public Budget Budget => NamedBudget ?? Budget.Default;

    /// <summary>Whether the text itself named a budget, or <see cref="WithBudget"/> did.</summary>
    public bool HasBudget => NamedBudget is not null;

    /// <summary>Whether nothing is ever evicted, whatever <see cref="Budget"/> says.</summary>
    public bool KeepsEverything => Name == "full";

    /// <summary>Whether rows are ranked by attention scores; else the most recent are kept.</summary>
    public bool UsesScores => Needs != ScoreNeeds.None || Rule is not null;

    /// <summary>What the scores read.</summary>
    public ScoreNeeds Needs => Method.Needs;

    /// <summary>The score; null for attention of the last window (SnapKV), for column sums (H2O) and for recency, which are ops of their own.</summary>
    public ScoreRule? Rule { get; private init; }

    /// <summary>
    /// Last rows, which are always kept; where attention of a window scores, also the queries that score, at least 1.
    /// </summary>
    public int Window { get; private init; }

    /// <summary>Odd width of the pooling; 1 is none.</summary>
    public int Kernel { get; private init; } = 1;

    /// <summary>How scores of neighbours are pooled.</summary>
    public PoolKind Pool { get; private init; }

    /// <summary>Whether a group's query heads are reduced before pooling or after.</summary>
    public PoolOrder Order { get; private init; }

    /// <summary>The weights by which rows are split over heads and layers; null where there are none.</summary>
    public HeadTable? Table { get; private init; }

    /// <summary>How a store's rows are split over its heads.</summary>
    public HeadAllocation Heads { get; private init; }

    /// <summary>
    /// The uniform share r of <see cref="HeadAllocation.Blend"/> and <see cref="HeadAllocation.Floor"/>, in [0, 1];
    /// else 0.
    /// </summary>
    /// <remarks>
    /// r = 0 is pure Ada, r = 1 uniform. The paper's printed formula has the roles the other way round; its code
    /// has these.
    /// </remarks>
    public Ratio Floor { get; private init; }

    /// <summary>Whether all heads have one constant in the bound that is minimised, or each its own.</summary>
    public HeadWeights Weights { get; private init; }

    /// <summary>Whether a head's scores are scaled, for the split over heads alone, by the share of them that its best rows hold (AdaKV's <c>normalize</c>).</summary>
    public bool ScalesByMass { get; private init; }

    /// <summary>Whether kept rows are moved to consecutive positions, so that a text may be longer than the trained context.</summary>
    public bool Rerotates { get; private init; }

    /// <summary>CriticalKV's ε where its second stage is on; else null.</summary>
    public Ratio? Critical { get; private init; }

    /// <summary>ChunkKV's rows of a chunk that are kept or dropped together, for all heads alike; 1 for single rows.</summary>
    public int Chunk { get; private init; } = 1;

    /// <summary>How the rows are split over the layers.</summary>
    public LayerAllocation Layers { get; private init; }

    /// <summary>How the scores that the readers of a store give become the store's.</summary>
    public ReaderVote Vote { get; private init; }

    /// <summary>α: a store's rows are in proportion to the α-th power of the number of layers that read it; 0 gives every store the same.</summary>
    public Ratio ReaderPower { get; private init; }

    /// <summary>PyramidKV's β, at least 1; 1 where the layers are uniform.</summary>
    public int Beta { get; private init; } = 1;

    /// <summary>First tokens, which are always kept.</summary>
    public int Sinks { get; private init; }

    /// <summary>Rows per head that decoding may add beyond the budget before it compacts again.</summary>
    public int Slack { get; private init; }

    /// <summary>Whether stores are compared before any of them is evicted: the peak is then the full cache.</summary>
    public bool ComparesStores => Layers is LayerAllocation.Global or LayerAllocation.Prefix or LayerAllocation.Cake;

    /// <summary>Whether the scores read every query of the prompt, not only the last ones.</summary>
    public bool NeedsAllQueries => (Needs & (ScoreNeeds.ColumnSums | ScoreNeeds.Queries | ScoreNeeds.PreRopeQueries)) != 0;

    /// <summary>Whether scores are sums over queries that go on from one eviction to the next (H2O).</summary>
    public bool Accumulates => (Needs & ScoreNeeds.ColumnSums) != 0;

    private Budget? NamedBudget { get; init; }

    private PolicyMethod Method { get; init; } = PolicyMethod.Find("full");

    /// <summary>Rows at the start and the end of a run of <paramref name="length"/> rows that are always kept.</summary>
    public (int Sinks, int Window) Protected(int length) => Rule?.Protected(length, Sinks, Window) ?? (Sinks, Window);

    /// <summary>How many of the last queries the scores read of a sequence of <paramref name="tokens"/> tokens; 0 for none.</summary>
    public int Queries(int tokens) => NeedsAllQueries ? tokens
        : (Needs & ScoreNeeds.WindowQueries) != 0 ? Math.Min(Window, tokens)
        : (Needs & ScoreNeeds.LastRow) != 0 ? Math.Min(1, tokens) : 0;

    /// <summary>This policy with no budget named, as plans are told apart.</summary>
    public EvictionPolicy WithoutBudget() => this with { NamedBudget = null };

    /// <summary>This policy with another budget.</summary>
    /// <exception cref="PolicyFormatException">The policy is <c>full</c>.</exception>
    public EvictionPolicy WithBudget(Budget budget)
    {
        ArgumentNullException.ThrowIfNull(budget);
        return KeepsEverything
            ? throw new PolicyFormatException($"'full' keeps everything and takes no budget, got '{budget}'.")
            : this with { NamedBudget = budget };
    }
}

/// <summary>How the score of a row is combined with its neighbours'.</summary>
public enum PoolKind
{
    /// <summary>The largest; rows beyond the ends do not count.</summary>
    Max,

    /// <summary>
    /// The sum over the kernel's width; rows beyond the ends count as zero, and the divisor stays the width.
    /// </summary>
    Avg,
}

/// <summary>
/// Which comes first where several query heads read one KV head. With average pooling and a group mean it makes no
/// difference.
/// </summary>
public enum PoolOrder
{
    /// <summary>The group is reduced, then pooled (the AdaKV repository, KVCache-Factory).</summary>
    GroupThenPool,

    /// <summary>Each query head is pooled, then the group is reduced (kvpress).</summary>
    PoolThenGroup,
}

/// <summary>How a store's budget is split over its KV heads.</summary>
public enum HeadAllocation
{
    /// <summary>The same for every head; a remainder goes to the lowest heads.</summary>
    Uniform,

    /// <summary>Each head's count in the global top B (Ada-KV, Algorithm 1).</summary>
    Pure,

    /// <summary>A weighted mean of pure and uniform (Ada-KV, Algorithm 2).</summary>
    Blend,

    /// <summary>A guaranteed share for every head, the rest by global order.</summary>
    Floor,

    /// <summary>As floor, but the guarantee counts protected rows and is at least one row (kvpress's mask rule).</summary>
    Mask,

    /// <summary>By fixed weights, whatever the scores say (<see cref="HeadTable"/>); counts are then given to a plan, no op makes them.</summary>
    Table,
}

/// <summary>How the layers that read one store decide together what it keeps: one keep-list serves them all.</summary>
public enum ReaderVote
{
    /// <summary>The largest of their scores: what any of them needs stays.</summary>
    Max,

    /// <summary>Their mean.</summary>
    Mean,

    /// <summary>Their sum: the mean, for one store; where stores compete it weighs those with many readers more.</summary>
    Sum,

    /// <summary>The score of the layer that writes the store, alone.</summary>
    Owner,
}

/// <summary>Which constant a head's attention is weighted with where heads compete.</summary>
public enum HeadWeights
{
    /// <summary>One for all: the split minimises ε (Ada-KV).</summary>
    Common,

    /// <summary>C_i of each query head, its largest ‖v_j W_i‖₁: the split minimises ε_head.</summary>
    PerHead,
}

/// <summary>How the rows are split over the layers.</summary>
public enum LayerAllocation
{
    /// <summary>The same for every layer.</summary>
    Uniform,

    /// <summary>Falling with depth (PyramidKV).</summary>
    Pyramid,

    /// <summary>What the best rows of all heads of all layers in one order come to.</summary>
    Global,

    /// <summary>So that the least retained share of importance is as large as can be (PrefixKV).</summary>
    Prefix,

    /// <summary>In proportion to the dispersion and shift of attention (CAKE).</summary>
    Cake,
}
