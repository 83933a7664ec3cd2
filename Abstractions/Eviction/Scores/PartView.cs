using KvIL.Ops;

namespace KvIL.Eviction.Scores;

/// <summary>Some rows of another view, as a run of their own: for scores that read rows alone.</summary>
/// <param name="whole">The view that they are from.</param>
/// <param name="needs">What the score reads: keys and values, before or after RoPE.</param>
/// <param name="rows">By KV head, its rows, ascending.</param>
public sealed class PartView(ScoreView whole, ScoreNeeds needs, int[][] rows) : ScoreView(needs)
{
    private readonly float[][] _scores = [.. rows.Select(part => new float[part.Length])];

    /// <inheritdoc/>
    public override int KvHeads => whole.KvHeads;

    /// <inheritdoc/>
    public override int QueryHeads => whole.QueryHeads;

    /// <inheritdoc/>
    public override int HeadDim => whole.HeadDim;

    /// <inheritdoc/>
    public override int Tokens => whole.Tokens;

    /// <summary>0: of the rows at hand all compete.</summary>
    public override int Sinks => 0;

    /// <summary>0.</summary>
    public override int Window => 0;

    /// <summary>0: no queries are shown.</summary>
    public override int Queries => 0;

    /// <inheritdoc/>
    public override AttentionRule Rule => whole.Rule;

    /// <inheritdoc/>
    public override Rotary Rotary => whole.Rotary;

    /// <inheritdoc/>
    public override int Rows(int head) => rows[head].Length;

    /// <inheritdoc/>
    public override ReadOnlySpan<int> Positions(int head)
    {
        ReadOnlySpan<int> positions = whole.Positions(head);
        int[] part = new int[rows[head].Length];
        for (int j = 0; j < part.Length; j++) part[j] = positions[rows[head][j]];
        return part;
    }

    /// <inheritdoc/>
    public override Span<float> Scores(int head) => _scores[head];

    /// <inheritdoc/>
    public override void ForEach(int count, Action<int> body) => whole.ForEach(count, body);

    /// <inheritdoc/>
    protected override ReadOnlySpan<float> KeysOf(int head) => Part(whole.Keys(head), head);

    /// <inheritdoc/>
    protected override ReadOnlySpan<float> ValuesOf(int head) => Part(whole.Values(head), head);

    /// <inheritdoc/>
    protected override ReadOnlySpan<float> PreRopeKeysOf(int head) => Part(whole.PreRopeKeys(head), head);

    /// <inheritdoc/>
    protected override ReadOnlySpan<float> QueriesAfterRope(int queryHead) => throw Hidden();

    /// <inheritdoc/>
    protected override ReadOnlySpan<float> QueriesBeforeRope(int queryHead) => throw Hidden();

    /// <inheritdoc/>
    protected override void AttentionOf(int queryHead, int query, Span<float> attention) => throw Hidden();

    /// <inheritdoc/>
    protected override void ProjectedNormsOf(int queryHead, Span<float> norms) => throw Hidden();

    private static InvalidOperationException Hidden() => new("A part of a run shows keys and values alone.");

    private ReadOnlySpan<float> Part(ReadOnlySpan<float> all, int head)
    {
        int[] own = rows[head];
        if (own.Length > 0 && own[^1] - own[0] == own.Length - 1) return all.Slice(own[0] * HeadDim, own.Length * HeadDim);
        float[] part = new float[own.Length * HeadDim];
        for (int j = 0; j < own.Length; j++) all.Slice(own[j] * HeadDim, HeadDim).CopyTo(part.AsSpan(j * HeadDim));
        return part;
    }
}
