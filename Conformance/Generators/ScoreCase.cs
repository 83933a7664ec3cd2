using System.Collections.Immutable;
using KvIL.Eviction.Scores;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Generators;

/// <summary>A store whose rows a rule scores, and the queries that it has at hand.</summary>
/// <param name="Store">The store; its <c>Window</c> is the ring of queries.</param>
/// <param name="Sequence">Sequence scored.</param>
/// <param name="Sinks">Protected first rows.</param>
/// <param name="Window">Protected last rows.</param>
/// <param name="Missing">Queries of the ring that are not at hand, where as many are left.</param>
/// <param name="Frequencies">F: 2F channels of each head turn.</param>
/// <param name="Block">Rows of a chunk, a block or a local window, and positions that a mean rotation covers.</param>
/// <param name="ExtraColumns">Columns of the scores beyond the longest run.</param>
public sealed record ScoreCase(
    StoreCase Store, int Sequence, int Sinks, int Window, int Missing, int Frequencies, int Block, int ExtraColumns) : ICase<ScoreCase>
{
    private const int Width = 9;

    /// <summary>Tokens that the sequence has seen.</summary>
    internal int Tokens => Store.Seen(Sequence);

    /// <summary>Queries at hand: the last ones.</summary>
    internal int Queries => Math.Min(Math.Max(Store.Window - Missing, 1), Tokens);

    /// <summary>Rows of each head's run of the sequence.</summary>
    internal int[] Lengths => [.. Enumerable.Range(Sequence * Store.KvHeads, Store.KvHeads).Select(Store.RunLength)];

    /// <summary>Columns of the scores.</summary>
    internal int Columns => Math.Max(1, Lengths.Max() + ExtraColumns);

    /// <summary>RoPE of the layer: every second case scales it.</summary>
    internal Rotary Rotary => new(
        [.. Enumerable.Range(0, Frequencies).Select(f => Math.Pow(10_000, -1.0 * f / Frequencies))], Store.Seed % 2 == 0 ? 1 : 1.25);

    /// <inheritdoc/>
    public static ScoreCase Generate(Random random)
    {
        StoreCase store = StoreCase.Generate(random) with
        {
            KvHeads = random.Of(1, 2, 3),
            HeadDim = random.Of(2, 8, 24, 40),
            Length = random.Of(0, 1, 2, 7, 9, 33, 50),
            Window = random.Of(1, 2, 8, 33, 50),
            Tokens = 1,
        };
        return new(
            store, random.Next(store.Sequences), random.Of(0, 0, 1, 4), random.Of(0, 1, 4), random.Of(0, 0, 1, 3),
            random.Next((store.HeadDim / 2) + 1), random.Of(2, 3, 5, 16, 40), random.Of(0, 1, 3));
    }

    /// <inheritdoc/>
    public IEnumerable<ScoreCase> Shrink()
    {
        foreach (StoreCase smaller in Store.Shrink())
        {
            if (Sequence < smaller.Sequences && Frequencies <= smaller.HeadDim / 2) yield return this with { Store = smaller };
        }

        if (Sequence > 0) yield return this with { Sequence = 0 };
        if (Sinks > 0) yield return this with { Sinks = 0 };
        if (Window > 0) yield return this with { Window = 0 };
        if (Missing > 0) yield return this with { Missing = 0 };
        if (Frequencies > 0) yield return this with { Frequencies = Frequencies / 2 };
        if (Block > 2) yield return this with { Block = 2 };
        if (ExtraColumns > 0) yield return this with { ExtraColumns = 0 };
    }

    /// <summary>The published rules with numbers of this case, by the names of policies.</summary>
    internal ImmutableArray<ScoreRule> Rules =>
    [
        new ObservedAttentionScore(),
        new TovaScore(),
        new KnormScore(),
        new KeyDiffScore(),
        new ExpectedAttentionScore(Block, new(1, 50)),
        new LagKvScore(Block),
        new FinchScore(),
        new CakeScore(new(Store.Seed % 300, 1), 1 + (2 * (Store.Seed % 3))),
        new CurDkvScore(Store.Seed % 3 == 0 ? 0 : Block),
        new NonCausalAttentionScore(Block),
        new LeverageScore(new(1, 100)),
        new CapKvScore(new(5, 1), Block),
        new QFilterScore(),
        new RandomRowsScore(Store.Seed % 1000),
    ];

    /// <summary>F32 or a quantised weight <c>[9, query_heads · head_dim]</c>.</summary>
    internal HostTensor Projection()
    {
        int channels = Store.QueryHeads * Store.HeadDim;
        DType[] types = [DType.F32, .. QuantizedCase.QuantizedTypes.Where(type => channels % type.BlockElements() == 0)];
        DType chosen = types[Store.Seed % types.Length];
        return chosen == DType.F32
            ? HostTensor.Weight(DType.F32, Draw.Values(Store.Seed, 30, Width * channels, ValueKind.Normal), Width, channels)
            : QuantizedCase.Weight(chosen, Store.Seed, 30, Width, channels);
    }

    /// <summary>Scores of the rows by a rule, as the only op of a plan.</summary>
    internal (Scenario Scenario, Slot Y) Plan(ScoreRule rule, HostStore? store = null, HostTensor? queries = null, bool absolute = false, int[]? counts = null)
    {
        Scenario s = new("score");
        Slot y = s.Builder.ScoreRows(
            rule, s.Input("store", store ?? Store.Store()), s.Input("queries", queries ?? Store.QueryWindow()),
            (rule.Needs & Eviction.ScoreNeeds.OutputProjection) != 0 ? s.Input("projection", absolute ? Projection().Abs() : Projection()) : null, s.Bind("sequence", Sequence),
            s.Bind("tokens", Tokens), s.Bind("at-hand", Queries, Store.Window), s.Bind("len", Columns), s.Bind("sinks", Sinks),
            s.Bind("window", Window), Store.Rule, Rotary, counts is null ? null : s.Input("counts", HostTensor.I32(counts)));
        return (s, s.Output(y));
    }
}
