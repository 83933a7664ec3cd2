using KvIL.Conformance.Generators;
using KvIL.Conformance.Theory;
using KvIL.Eviction.Scores;
using KvIL.Ops;

namespace KvIL.Conformance.Theorems;

/// <summary>What a layer shows to a scorer, from plain arrays: a run of T rows in each head, no rotation, some last queries.</summary>
internal sealed class LayerView : ScoreView
{
    private readonly float[][] _keys;
    private readonly float[][] _values;
    private readonly float[][] _queries;
    private readonly float[][] _scores;
    private readonly double[,] _projection;
    private readonly int[] _positions;

    /// <summary>The layer of a case; KV head g is the one drawn as number <c>order[g]</c>, with its query heads.</summary>
    public LayerView(ScorerCase c, EvictionMath m, IReadOnlyList<int> order)
        : base(m.Scorer.Needs)
    {
        (KvHeads, QueryHeads, Tokens, Sinks, Window, Queries) = (c.KvHeads, c.KvHeads * c.Group, c.Length, c.Sinks, c.Window, Math.Min(c.Queries, c.Length));
        _keys = [.. order.Select(g => c.Rows(1, g, c.Length))];
        _values = [.. order.Select(g => c.Rows(2, g, c.Length))];
        int[] heads = [.. order.SelectMany(g => Enumerable.Range(g * c.Group, c.Group))];
        _queries = [.. heads.Select(i => c.Rows(3, i, Queries))];
        _projection = Arrays.Table(ScorerCase.Width, QueryHeads * HeadDim, (x, e) => c.Rows(4, heads[e / HeadDim], ScorerCase.Width)[(x * HeadDim) + (e % HeadDim)]);
        _scores = [.. order.Select(_ => new float[c.Length])];
        _positions = [.. Enumerable.Range(0, c.Length)];
    }

    /// <summary>The scores written, of all heads.</summary>
    public float[][] Written => _scores;

    /// <inheritdoc/>
    public override int KvHeads { get; }

    /// <inheritdoc/>
    public override int QueryHeads { get; }

    /// <inheritdoc/>
    public override int HeadDim => ScorerCase.HeadDim;

    /// <inheritdoc/>
    public override int Tokens { get; }

    /// <inheritdoc/>
    public override int Sinks { get; }

    /// <inheritdoc/>
    public override int Window { get; }

    /// <inheritdoc/>
    public override int Queries { get; }

    /// <inheritdoc/>
    public override AttentionRule Rule => new(1 / MathF.Sqrt(HeadDim), null, null);

    /// <inheritdoc/>
    public override Rotary Rotary => Rotary.None;

    /// <inheritdoc/>
    public override int Rows(int head) => Tokens;

    /// <inheritdoc/>
    public override ReadOnlySpan<int> Positions(int head) => _positions;

    /// <inheritdoc/>
    public override Span<float> Scores(int head) => _scores[head];

    /// <inheritdoc/>
    public override void ForEach(int count, Action<int> body)
    {
        for (int i = 0; i < count; i++) body(i);
    }

    /// <inheritdoc/>
    protected override ReadOnlySpan<float> KeysOf(int head) => _keys[head];

    /// <inheritdoc/>
    protected override ReadOnlySpan<float> ValuesOf(int head) => _values[head];

    /// <inheritdoc/>
    protected override ReadOnlySpan<float> PreRopeKeysOf(int head) => _keys[head];

    /// <inheritdoc/>
    protected override ReadOnlySpan<float> QueriesAfterRope(int queryHead) => _queries[queryHead];

    /// <inheritdoc/>
    protected override ReadOnlySpan<float> QueriesBeforeRope(int queryHead) => _queries[queryHead];

    /// <inheritdoc/>
    protected override void AttentionOf(int queryHead, int query, Span<float> attention)
    {
        int last = Tokens - Queries + query;
        float[] keys = _keys[queryHead * KvHeads / QueryHeads], q = _queries[queryHead];
        double[] a = Theory.WindowScores.Softmax([.. Enumerable.Range(0, last + 1).Select(j =>
            Enumerable.Range(0, HeadDim).Sum(e => (double)q[(query * HeadDim) + e] * keys[(j * HeadDim) + e]) / Math.Sqrt(HeadDim))]);
        attention.Clear();
        for (int j = 0; j <= last; j++) attention[j] = (float)a[j];
    }

    /// <inheritdoc/>
    protected override void ProjectedNormsOf(int queryHead, Span<float> norms)
    {
        float[] v = _values[queryHead * KvHeads / QueryHeads];
        for (int j = 0; j < Tokens; j++)
        {
            int row = j * HeadDim;
            norms[j] = (float)Enumerable.Range(0, ScorerCase.Width).Sum(x =>
                Math.Abs(Enumerable.Range(0, HeadDim).Sum(e => v[row + e] * _projection[x, (queryHead * HeadDim) + e])));
        }
    }
}
