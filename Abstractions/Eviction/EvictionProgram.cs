using System.Collections.Immutable;
using KvIL.Eviction.Scores;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Eviction;

/// <summary>A layer that reads the store: the queries that score it and, to measure, the weight that its attention goes through.</summary>
/// <param name="Window">F32 <c>[sequences, ring, query_heads · head_dim]</c>: its last queries.</param>
/// <param name="OutputProjection">Spec of W^O, <c>[width, query_heads · head_dim]</c>.</param>
/// <param name="Rule">How its logits are made and which rows it sees.</param>
/// <param name="Rotary">Its RoPE; null for none.</param>
/// <param name="IsOwner">Whether it also writes the store.</param>
public readonly record struct StoreReader(
    TensorSpec Window, TensorSpec OutputProjection, AttentionRule Rule, Rotary? Rotary = null, bool IsOwner = true);

/// <summary>What an eviction plan does beside evicting.</summary>
[Flags]
public enum EvictionExtras
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The loss and its bounds are computed.</summary>
    Measure = 1,

    /// <summary>Scores, counts and rows are outputs.</summary>
    Trace = 2,

    /// <summary>Rows at given positions are kept whatever their score.</summary>
    Protect = 4,

    /// <summary>Kept rows are moved to consecutive positions, their keys turned there.</summary>
    Rerotate = 8,

    /// <summary>The rows of each head are an input, in place of what the policy would divide.</summary>
    GivenCounts = 16,
}

/// <summary>An eviction policy as a plan over one store and one sequence: score, allocate, select, compact.</summary>
/// <remarks>
/// <code>
/// c = WindowScores(Q, S)             per reader; the group is reduced, and before that or after the vote the scores are pooled;
///   | ScoreRows(rule, Q, S)          or any other published score
/// c = Maximum(c, c')                 over the readers of a shared store; or their sum, their mean, or the owner's alone
/// b = AllocateHeads(c, total)        Σ b = total, exactly
/// r = SelectRows(c, b)               protected rows and the best candidates, ascending
/// S' = Compact(S, b, r)              into a fresh store
/// </code>
/// Everything that depends on a prompt is a symbol, so one compiled plan serves all prompts, budgets and stores of a shape.
/// A policy without scores, and a budget not above the window, ranks rows by position instead.
/// </remarks>
public sealed class EvictionProgram
{
    private readonly PlanBuilder _builder = new();
    private readonly ImmutableArray<StoreReader> _readers;
    private readonly EvictionExtras _extras;
    private Slot? _shared; // rows of each head where the scores depend on them

    private EvictionProgram(StoreSpec store, ImmutableArray<StoreReader> readers, int maxLength, int maxTokens, EvictionExtras extras)
    {
        (_readers, _extras) = (readers, extras);
        Sequence = _builder.Symbol("sequence", store.Sequences - 1);
        Tokens = _builder.Symbol("tokens", maxTokens);
        Length = _builder.Symbol("len", maxLength);
        Total = _builder.Symbol("total", checked(maxLength * store.NumKvHeads));
        Sinks = _builder.Symbol("sinks", maxLength);
        Window = _builder.Symbol("window", maxLength);
        Queries = _builder.Symbol("queries", readers.IsDefaultOrEmpty ? 0 : readers[0].Window.Shape[1].Max);
        Protected = _builder.Symbol("protected", maxTokens);
        Slack = _builder.Symbol("slack", int.MaxValue);
        From = _builder.Input("store", store);
        Counts = extras.HasFlag(EvictionExtras.GivenCounts) ? _builder.Input("counts", new TensorSpec(DType.I32, store.NumKvHeads)) : null;
    }

    /// <summary>The program.</summary>
    public Plan Plan { get; private set; } = null!;

    /// <summary>The sequence evicted.</summary>
    public Symbol Sequence { get; }

    /// <summary>Tokens of the sequence seen so far.</summary>
    public Symbol Tokens { get; }

    /// <summary>At least the rows of every run of the sequence.</summary>
    public Symbol Length { get; }

    /// <summary>Rows to keep over all heads, protected rows included.</summary>
    public Symbol Total { get; }

    /// <summary>Protected rows at the start of each run.</summary>
    public Symbol Sinks { get; }

    /// <summary>Protected rows at the end of each run.</summary>
    public Symbol Window { get; }

    /// <summary>How many of the last queries score.</summary>
    public Symbol Queries { get; }

    /// <summary>Positions that are kept whatever their score.</summary>
    public Symbol Protected { get; }

    /// <summary>Free rows after the kept ones of each head.</summary>
    public Symbol Slack { get; }

    /// <summary>The store before.</summary>
    public Slot From { get; }

    /// <summary>The fresh store; null in a program that only scores.</summary>
    public Slot? To { get; private set; }

    /// <summary>The last queries of each reader; empty when nothing reads them.</summary>
    public ImmutableArray<Slot> Windows { get; private set; } = [];

    /// <summary>W^O of each reader; empty when nothing reads it.</summary>
    public ImmutableArray<Slot> OutputProjections { get; private set; } = [];

    /// <summary>F32 <c>[4]</c> per reader: L, θ, ε_head and ε; empty unless measured.</summary>
    public ImmutableArray<Slot> Losses { get; private set; } = [];

    /// <summary>I32 <c>[protected]</c>, the positions to keep; null unless the program protects.</summary>
    public Slot? ProtectedPositions { get; private set; }

    /// <summary>F32 <c>[kv_heads, len]</c>: input of a program that takes scores, output of one that gives them or is traced; else null.</summary>
    public Slot? Scores { get; private set; }

    /// <summary>F32 <c>[kv_heads, len]</c>, the scores by which heads were compared: an output when traced and others than <see cref="Scores"/>; else null.</summary>
    public Slot? Compared { get; private set; }

    /// <summary>F32 <c>[1]</c> per reader, CAKE's preference; empty unless a program that only scores serves it.</summary>
    public ImmutableArray<Slot> Preferences { get; private set; } = [];

    /// <summary>I32 <c>[kv_heads]</c>, rows kept per head: an output when traced, an input when given; else null.</summary>
    public Slot? Counts { get; private set; }

    /// <summary>I32 <c>[total]</c>, rows kept: an output when traced; else null.</summary>
    public Slot? Rows { get; private set; }

    /// <summary>Ranks rows by the policy's scores.</summary>
    /// <param name="policy">The policy; its budget, sinks and window are bound at enqueue.</param>
    /// <param name="store">The store, rows left open.</param>
    /// <param name="readers">The layers that read it.</param>
    /// <param name="maxLength">Most rows of a run.</param>
    /// <param name="maxTokens">Most tokens of a sequence.</param>
    /// <param name="extras">What is done beside.</param>
    public static EvictionProgram ByScore(
        EvictionPolicy policy, StoreSpec store, ImmutableArray<StoreReader> readers, int maxLength, int maxTokens, EvictionExtras extras)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(store);
        EvictionProgram program = new(store, readers, maxLength, maxTokens, extras);
        program.Rank(program.Score(policy), policy);
        return program.Build($"evict {policy.Name}");
    }

    /// <summary>Ranks rows by position, the newest first; keeps all of them when the total says so.</summary>
    /// <inheritdoc cref="ByScore"/>
    public static EvictionProgram ByRecency(
        StoreSpec store, ImmutableArray<StoreReader> readers, int maxLength, int maxTokens, EvictionExtras extras)
    {
        ArgumentNullException.ThrowIfNull(store);
        EvictionProgram program = new(store, readers, maxLength, maxTokens, extras);
        program.Rank(program._builder.RecencyScores(program.From, program.Sequence, program.Length), EvictionPolicy.Full);
        return program.Build("evict oldest");
    }

    /// <summary>Only scores, for policies that compare stores: the host divides the rows, then <see cref="ByGivenScores"/> evicts.</summary>
    /// <inheritdoc cref="ByScore"/>
    public static EvictionProgram ScoresOnly(
        EvictionPolicy policy, StoreSpec store, ImmutableArray<StoreReader> readers, int maxLength, int maxTokens)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(store);
        EvictionProgram program = new(store, readers, maxLength, maxTokens, EvictionExtras.None);
        program.Scores = program._builder.Output(program.Score(policy));
        if (policy.Layers == LayerAllocation.Cake)
        {
            program.Preferences = [.. program.Queried().Select((window, i) => program._builder.Output(
                program._builder.LayerPreference(window, program.From, program.Sequence, program.Tokens, program.Queries, readers[i].Rule)))];
        }

        return program.Build($"score {policy.Name}");
    }

    /// <summary>Ranks rows by scores that the caller binds.</summary>
    /// <param name="policy">The policy; its budget, sinks and window are bound at enqueue.</param>
    /// <param name="store">The store, rows left open.</param>
    /// <param name="readers">The layers that read it.</param>
    /// <param name="maxLength">Most rows of a run.</param>
    /// <param name="maxTokens">Most tokens of a sequence.</param>
    /// <param name="extras">What is done beside.</param>
    public static EvictionProgram ByGivenScores(
        EvictionPolicy policy, StoreSpec store, ImmutableArray<StoreReader> readers, int maxLength, int maxTokens, EvictionExtras extras)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(store);
        EvictionProgram program = new(store, readers, maxLength, maxTokens, extras);
        program.Scores = program._builder.Input("scores", new TensorSpec(DType.F32, store.NumKvHeads, program.Length));
        program.Rank(program.Scores, policy);
        return program.Build($"evict {policy.Name} by given scores");
    }

    private EvictionProgram Build(string name)
    {
        Plan = _builder.Build(name);
        return this;
    }

    // Declared once, when something first reads them.
    private ImmutableArray<Slot> Queried() =>
        Windows = Windows.IsEmpty ? [.. _readers.Select((reader, i) => _builder.Input($"queries.{i}", reader.Window))] : Windows;

    private ImmutableArray<Slot> Projected() => OutputProjections = OutputProjections.IsEmpty
        ? [.. _readers.Select((reader, i) => _builder.Input($"output_projection.{i}", reader.OutputProjection))]
        : OutputProjections;

    private Slot Score(EvictionPolicy policy)
    {
        int[] voters = [.. Enumerable.Range(0, _readers.Length).Where(i => policy.Vote != ReaderVote.Owner || _readers[i].IsOwner)];
        if (voters.Length == 0) throw new ArgumentException("a store that no voter reads has no scores.", nameof(policy));
        Slot[] scores = [.. voters.Select(i => policy.Rule is ScoreRule rule ? ByRule(policy, rule, i) : ByAttention(policy, i))];
        Slot joined = scores.Aggregate(policy.Vote == ReaderVote.Max ? _builder.Maximum : _builder.Add);
        joined = policy.Vote == ReaderVote.Mean && scores.Length > 1 ? _builder.Scale(joined, 1f / scores.Length) : joined;
        if (policy.Rule is not null) return joined;
        joined = policy.Order == PoolOrder.GroupThenPool ? Pool(joined, policy) : joined;
        // PrefixKV keeps the same rows for all heads of a layer, as chunks do: by the sum over the heads.
        return policy.Chunk > 1 || policy.Layers == LayerAllocation.Prefix
            ? _builder.ChunkScores(joined, From, Sequence, Sinks, Window, policy.Chunk) : joined;
    }

    private Slot Pool(Slot x, EvictionPolicy policy) => _builder.Pool(x, From, Sequence, Window, policy.Pool, policy.Kernel);

    private Slot ByRule(EvictionPolicy policy, ScoreRule rule, int reader)
    {
        _shared ??= rule is not BlocksScore ? null : Counts ?? _builder.AllocateHeads(
            _builder.RecencyScores(From, Sequence, Length), From, Sequence, Total, Sinks, Window, policy.Heads, policy.Floor);
        bool projects = (rule.Needs & ScoreNeeds.OutputProjection) != 0;
        return _builder.ScoreRows(
            rule, From, policy.Queries(int.MaxValue) > 0 || projects ? Queried()[reader] : null, projects ? Projected()[reader] : null,
            Sequence, Tokens, Queries, Length, Sinks, Window, _readers[reader].Rule, _readers[reader].Rotary ?? Rotary.None, _shared);
    }

    // Attention of the last queries: of a window (SnapKV), or of all (H2O; the mean over all ranks as the sum does).
    private Slot ByAttention(EvictionPolicy policy, int reader)
    {
        int kvHeads = From.Store.NumKvHeads;
        Slot scores = _builder.WindowScores(Queried()[reader], From, Sequence, Tokens, Queries, Length, _readers[reader].Rule);
        if (policy.Weights == HeadWeights.PerHead)
        {
            scores = _builder.WeighHeads(scores, From, Projected()[reader], Sequence);
        }

        return _builder.GroupMean(policy.Order == PoolOrder.GroupThenPool ? scores : Pool(scores, policy), kvHeads);
    }

    private void Rank(Slot scores, EvictionPolicy policy)
    {
        if (_extras.HasFlag(EvictionExtras.Protect))
        {
            ProtectedPositions = _builder.Input("protected", new TensorSpec(DType.I32, Protected));
            scores = _builder.ProtectRows(scores, From, ProtectedPositions, Sequence);
        }

        if (Counts is null && policy.Heads == HeadAllocation.Table)
        {
            throw new ArgumentException("the rows that a table gives the heads are an input; ask for given counts.", nameof(policy));
        }

        Slot compared = policy.ScalesByMass ? _builder.ScaleByMass(scores, From, Sequence, Total, Sinks, Window) : scores;
        Slot counts = Counts ?? _shared ?? _builder.AllocateHeads(compared, From, Sequence, Total, Sinks, Window, policy.Heads, policy.Floor);
        if (policy.Critical is Ratio epsilon)
        {
            scores = _builder.TwoStageScores(
                scores, counts, From, Projected()[0], Sequence, Sinks, Window, epsilon, Total, policy.Heads == HeadAllocation.Mask ? policy.Floor : default);
        }

        Slot rows = _builder.SelectRows(scores, counts, From, Sequence, Total, Sinks, Window);
        if (_extras.HasFlag(EvictionExtras.Measure))
        {
            Losses = [.. Projected().Zip(Queried(), _readers).Select(reader => _builder.Output(
                _builder.EvictionLoss(reader.Second, From, counts, rows, reader.First, Sequence, Tokens, reader.Third.Rule)))];
        }

        To = _builder.Output(_builder.Compact(From, counts, rows, Sequence, Slack));
        if (_extras.HasFlag(EvictionExtras.Rerotate))
        {
            _builder.Rerotate(To, Sequence, _readers[0].Rotary ?? Rotary.None);
        }

        if (_extras.HasFlag(EvictionExtras.Trace))
        {
            Scores ??= _builder.Output(scores);
            Compared = compared == Scores ? null : _builder.Output(compared);
            Counts ??= _builder.Output(counts);
            Rows = _builder.Output(rows);
        }
    }
}
