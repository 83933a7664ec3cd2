using System.Collections.Immutable;
using KvIL.Ops;

namespace KvIL.Eviction.Scores;

/// <summary>What a layer shows to a score: the rows of one sequence, queries, weights; and where the scores go.</summary>
/// <remarks>
/// kv KV heads, h query heads, G = h/kv (query head i reads KV head i/G), d head dimension, D model dimension. Heads may have different
/// numbers of rows. Spans are valid until the op ends. Members of different heads may be called from different threads.
/// </remarks>
public abstract class ScoreView
{
    private readonly ScoreNeeds _needs;

    /// <summary>A view that shows <paramref name="needs"/>.</summary>
    protected ScoreView(ScoreNeeds needs) => _needs = needs;

    /// <summary>kv.</summary>
    public abstract int KvHeads { get; }

    /// <summary>h.</summary>
    public abstract int QueryHeads { get; }

    /// <summary>d.</summary>
    public abstract int HeadDim { get; }

    /// <summary>The position that comes next: tokens of the sequence seen so far.</summary>
    public abstract int Tokens { get; }

    /// <summary>Rows at the start of each run that are always kept.</summary>
    public abstract int Sinks { get; }

    /// <summary>Rows at the end of each run that are always kept.</summary>
    public abstract int Window { get; }

    /// <summary>Queries at hand: the last ones, up to position <see cref="Tokens"/> − 1.</summary>
    public abstract int Queries { get; }

    /// <summary>How logits are made and which rows a query sees.</summary>
    public abstract AttentionRule Rule { get; }

    /// <summary>RoPE of the layer.</summary>
    public abstract Rotary Rotary { get; }

    /// <summary>Rows of KV head <paramref name="head"/>.</summary>
    public abstract int Rows(int head);

    /// <summary>Rows of a KV head that will be kept, protected ones included; shown to <see cref="BlocksScore"/> alone.</summary>
    /// <exception cref="InvalidOperationException">The scores are made before the rows are divided.</exception>
    public virtual int Keep(int head) => throw new InvalidOperationException("The rows are divided by the scores, which cannot read how many are kept.");

    /// <summary>Original position of each row of a KV head, ascending.</summary>
    public abstract ReadOnlySpan<int> Positions(int head);

    /// <summary>Where the scores of a KV head go, one a row; zero to begin with.</summary>
    public abstract Span<float> Scores(int head);

    /// <summary>Keys after RoPE of a KV head, <c>[rows, d]</c>.</summary>
    public ReadOnlySpan<float> Keys(int head) => KeysOf(See(ScoreNeeds.Keys, head));

    /// <summary>Values of a KV head, <c>[rows, d]</c>.</summary>
    public ReadOnlySpan<float> Values(int head) => ValuesOf(See(ScoreNeeds.Values, head));

    /// <summary>Keys before RoPE of a KV head, <c>[rows, d]</c>: cached keys turned back from their positions.</summary>
    public ReadOnlySpan<float> PreRopeKeys(int head) => PreRopeKeysOf(See(ScoreNeeds.PreRopeKeys, head));

    /// <summary>Queries at hand of a query head after RoPE, <c>[Queries, d]</c>, ascending in position.</summary>
    public ReadOnlySpan<float> QueriesOf(int queryHead) =>
        QueriesAfterRope(See(ScoreNeeds.Queries | ScoreNeeds.WindowQueries | ScoreNeeds.LastRow, queryHead));

    /// <summary>Queries at hand of a query head before RoPE, <c>[Queries, d]</c>, ascending in position.</summary>
    public ReadOnlySpan<float> PreRopeQueriesOf(int queryHead) => QueriesBeforeRope(See(ScoreNeeds.PreRopeQueries, queryHead));

    /// <summary>Softmax attention of query <paramref name="query"/> (0 the oldest at hand) of a query head over the rows of its KV head.</summary>
    /// <param name="queryHead">The query head.</param>
    /// <param name="query">The query.</param>
    /// <param name="attention">Out: one weight a row; 0 for rows that it does not see.</param>
    public void Attention(int queryHead, int query, Span<float> attention) =>
        AttentionOf(See(ScoreNeeds.Queries | ScoreNeeds.WindowQueries | ScoreNeeds.LastRow, queryHead), query, attention);

    /// <summary><c>‖v_j W_i‖₁</c> of every row j of the KV head of query head i: what the row can add to the layer's output.</summary>
    /// <param name="queryHead">i.</param>
    /// <param name="norms">Out: one norm a row.</param>
    public void ProjectedNorms(int queryHead, Span<float> norms) => ProjectedNormsOf(See(ScoreNeeds.OutputProjection, queryHead), norms);

    /// <summary>Calls <paramref name="body"/> with 0 … count − 1, on all threads where there are several.</summary>
    public abstract void ForEach(int count, Action<int> body);

    /// <inheritdoc cref="Keys"/>
    protected abstract ReadOnlySpan<float> KeysOf(int head);

    /// <inheritdoc cref="Values"/>
    protected abstract ReadOnlySpan<float> ValuesOf(int head);

    /// <inheritdoc cref="PreRopeKeys"/>
    protected abstract ReadOnlySpan<float> PreRopeKeysOf(int head);

    /// <inheritdoc cref="QueriesOf"/>
    protected abstract ReadOnlySpan<float> QueriesAfterRope(int queryHead);

    /// <inheritdoc cref="PreRopeQueriesOf"/>
    protected abstract ReadOnlySpan<float> QueriesBeforeRope(int queryHead);

    /// <inheritdoc cref="Attention"/>
    protected abstract void AttentionOf(int queryHead, int query, Span<float> attention);

    /// <inheritdoc cref="ProjectedNorms"/>
    protected abstract void ProjectedNormsOf(int queryHead, Span<float> norms);

    // Any of the needs will do.
    private int See(ScoreNeeds any, int head) => (_needs & any) != 0
        ? head
        : throw new InvalidOperationException($"The score reads {any} but names only {_needs} among its needs; name it too.");
}

/// <summary>RoPE as plain numbers: channel f and f + F of the first 2F are turned by <c>position · ω_f</c> and scaled by m.</summary>
/// <param name="Frequencies">ω, F of them, radians per position; empty for no rotation.</param>
/// <param name="Factor">m.</param>
public sealed record Rotary(ImmutableArray<double> Frequencies, double Factor)
{
    /// <summary>No rotation.</summary>
    public static Rotary None { get; } = new([], 1);
}
