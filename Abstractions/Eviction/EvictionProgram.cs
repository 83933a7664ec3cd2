using System.Collections.Immutable;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Eviction;

/// <summary>A layer that reads the store: the queries that score it and, to measure, the weight that its attention goes through.</summary>
/// <param name="Window">F32 <c>[sequences, ring, query_heads · head_dim]</c>: its last queries.</param>
/// <param name="OutputProjection">Spec of W^O, <c>[width, query_heads · head_dim]</c>.</param>
/// <param name="Rule">How its logits are made and which rows it sees.</param>
public readonly record struct StoreReader(TensorSpec Window, TensorSpec OutputProjection, AttentionRule Rule);

/// <summary>An eviction policy as a plan over one store and one sequence: score, allocate, select, compact.</summary>
/// <remarks>
/// <code>
/// c = WindowScores(Q, S)             per reader; the group is reduced and the scores are pooled in the policy's order
/// c = Maximum(c, c')                 over the readers of a shared store
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

    private EvictionProgram(StoreSpec store, int maxLength, int maxTokens, int maxWindow)
    {
        Sequence = _builder.Symbol("sequence", store.Sequences - 1);
        Tokens = _builder.Symbol("tokens", maxTokens);
        Length = _builder.Symbol("len", maxLength);
        Total = _builder.Symbol("total", checked(maxLength * store.NumKvHeads));
        Sinks = _builder.Symbol("sinks", maxLength);
        Window = _builder.Symbol("window", maxWindow);
        Slack = _builder.Symbol("slack", int.MaxValue);
        From = _builder.Input("store", store);
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

    /// <summary>Protected rows at the end of each run; with scores also the queries that score.</summary>
    public Symbol Window { get; }

    /// <summary>Free rows after the kept ones of each head.</summary>
    public Symbol Slack { get; }

    /// <summary>The store before.</summary>
    public Slot From { get; }

    /// <summary>The fresh store.</summary>
    public Slot To { get; private set; } = null!;

    /// <summary>The last queries of each reader; empty when rows are ranked by position.</summary>
    public ImmutableArray<Slot> Windows { get; private set; } = [];

    /// <summary>W^O of each reader; empty unless measured.</summary>
    public ImmutableArray<Slot> OutputProjections { get; private set; } = [];

    /// <summary>F32 <c>[4]</c> per reader: L, θ, ε_head and ε; empty unless measured.</summary>
    public ImmutableArray<Slot> Losses { get; private set; } = [];

    /// <summary>Ranks rows by the policy's scores.</summary>
    /// <param name="policy">The policy; its budget, sinks and window are bound at enqueue.</param>
    /// <param name="store">The store, rows left open.</param>
    /// <param name="readers">The layers that read it.</param>
    /// <param name="maxLength">Most rows of a run.</param>
    /// <param name="maxTokens">Most tokens of a sequence.</param>
    /// <param name="measure">Whether the loss and its bounds are computed.</param>
    public static EvictionProgram ByScore(
        EvictionPolicy policy, StoreSpec store, ImmutableArray<StoreReader> readers, int maxLength, int maxTokens, bool measure)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(store);
        int ring = readers.IsEmpty ? 0 : readers[0].Window.Shape[1].Max;
        EvictionProgram program = new(store, maxLength, maxTokens, ring);
        program.AddWindows(readers);
        program.Rank(program.Scores(policy, readers), policy, readers, measure);
        program.Plan = program._builder.Build($"evict {policy.Name}");
        return program;
    }

    /// <summary>Ranks rows by position, the newest first; keeps all of them when the total says so.</summary>
    /// <inheritdoc cref="ByScore"/>
    public static EvictionProgram ByRecency(
        StoreSpec store, ImmutableArray<StoreReader> readers, int maxLength, int maxTokens, bool measure)
    {
        ArgumentNullException.ThrowIfNull(store);
        EvictionProgram program = new(store, maxLength, maxTokens, maxLength);
        if (measure)
        {
            program.AddWindows(readers);
        }

        Slot scores = program._builder.RecencyScores(program.From, program.Sequence, program.Length);
        program.Rank(scores, EvictionPolicy.Full, readers, measure);
        program.Plan = program._builder.Build("evict oldest");
        return program;
    }

    private void AddWindows(ImmutableArray<StoreReader> readers) =>
        Windows = [.. readers.Select((reader, i) => _builder.Input($"queries.{i}", reader.Window))];

    private Slot Scores(EvictionPolicy policy, ImmutableArray<StoreReader> readers)
    {
        int kvHeads = From.Store.NumKvHeads;
        Slot? joined = null;
        foreach ((Slot window, StoreReader reader) in Windows.Zip(readers))
        {
            Slot scores = _builder.WindowScores(window, From, Sequence, Tokens, Window, Length, reader.Rule);
            scores = policy.Order == PoolOrder.GroupThenPool
                ? Pool(_builder.GroupMean(scores, kvHeads))
                : _builder.GroupMean(Pool(scores), kvHeads);
            joined = joined is null ? scores : _builder.Maximum(joined, scores);
        }

        return joined ?? throw new ArgumentException("a store without readers has no scores.", nameof(policy));

        Slot Pool(Slot scores) => _builder.Pool(scores, From, Sequence, Window, policy.Pool, policy.Kernel);
    }

    private void Rank(Slot scores, EvictionPolicy policy, ImmutableArray<StoreReader> readers, bool measure)
    {
        Slot counts = _builder.AllocateHeads(scores, From, Sequence, Total, Sinks, Window, policy.Heads, policy.Floor);
        Slot rows = _builder.SelectRows(scores, counts, From, Sequence, Total, Sinks, Window);
        if (measure)
        {
            OutputProjections = [.. readers.Select((reader, i) => _builder.Input($"output_projection.{i}", reader.OutputProjection))];
            Losses = [.. OutputProjections.Select((weight, i) => _builder.Output(
                _builder.EvictionLoss(Windows[i], From, counts, rows, weight, Sequence, Tokens, readers[i].Rule)))];
        }

        To = _builder.Output(_builder.Compact(From, counts, rows, Sequence, Slack));
    }
}
