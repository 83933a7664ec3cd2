using KvIL.Eviction;
using KvIL.Eviction.Scores;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Reference.Kernels;
using KvIL.Reference.Memory;
using KvIL.Reference.Simd;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference.Scores;

/// <summary>A store and a ring of queries in this process's memory, as a score sees them.</summary>
/// <remarks>
/// Keys and values of F32 are spans into the store. What is not there as floats in order is made once, before the rule runs, in the
/// step's scratch: widened rows, keys and queries before RoPE, queries out of the ring.
/// </remarks>
internal sealed unsafe class HostScoreView : ScoreView
{
    private readonly ScoreRowsOp _op;
    private readonly HostStore _store;
    private readonly Frame _frame;
    private readonly int _length;
    private readonly int _firstRun;
    private readonly float* _keys;
    private readonly float* _values;
    private readonly float* _preRopeKeys;
    private readonly float* _queries;
    private readonly float* _preRopeQueries;
    private int _sharing;

    /// <summary>The view of a frame; its scratch has the bytes of <see cref="ScratchFloats"/>.</summary>
    public HostScoreView(ScoreRowsOp op, Frame f)
        : base(op.Rule.Needs)
    {
        (_op, _frame, _store, _length) = (op, f, f.Store(op.Store), f.Value(op.Y.Tensor.Shape[1]));
        (KvHeads, HeadDim) = (_store.StoreSpec.NumKvHeads, _store.StoreSpec.HeadDim);
        QueryHeads = QueryHeadsOf(op);
        (Tokens, Sinks, Window) = (f.Value(op.Tokens), f.Value(op.Sinks), f.Value(op.Protected));
        Queries = op.Window is null ? 0 : Math.Min(f.Value(op.Queries), Tokens);
        _firstRun = f.Value(op.Sequence) * KvHeads;
        float* next = (float*)f.Scratch;
        float* Take(bool wanted, long floats) => wanted ? (next += floats) - floats : null;
        long rows = (long)KvHeads * _length * HeadDim, queries = (long)QueryHeads * Queries * HeadDim;
        _keys = Take(Widens(op) && SeesKeys(op), rows);
        _values = Take(Widens(op) && Has(op, ScoreNeeds.Values), rows);
        _preRopeKeys = Take(Has(op, ScoreNeeds.PreRopeKeys), rows);
        _queries = Take(Has(op, Attending), queries);
        _preRopeQueries = Take(Has(op, ScoreNeeds.PreRopeQueries), queries);
        f.Workers.Run(new RowFill(this), KvHeads);
        if (_queries is not null || _preRopeQueries is not null) f.Workers.Run(new QueryFill(this), Queries, Queries > 8);
        for (int h = 0; h < KvHeads; h++) new Span<float>(f.F32(op.Y) + ((long)h * _length), _length).Clear();
    }

    private const ScoreNeeds Attending = ScoreNeeds.Queries | ScoreNeeds.WindowQueries | ScoreNeeds.LastRow;

    /// <inheritdoc/>
    public override int KvHeads { get; }

    /// <inheritdoc/>
    public override int QueryHeads { get; }

    /// <inheritdoc/>
    public override int HeadDim { get; }

    /// <inheritdoc/>
    public override int Tokens { get; }

    /// <inheritdoc/>
    public override int Sinks { get; }

    /// <inheritdoc/>
    public override int Window { get; }

    /// <inheritdoc/>
    public override int Queries { get; }

    /// <inheritdoc/>
    public override AttentionRule Rule => _op.Attention;

    /// <inheritdoc/>
    public override Rotary Rotary => _op.Rotary;

    /// <summary>Floats of scratch, by what the rule reads.</summary>
    public static long ScratchFloats(ScoreRowsOp op)
    {
        long rows = (long)op.Y.Tensor.Shape[0].Max * op.Y.Tensor.Shape[1].Max * op.Store.Store.HeadDim;
        long queries = op.Window is null ? 0 : (long)op.Queries.Max * op.Window.Tensor.Shape[2].Max;
        return (Widens(op) && SeesKeys(op) ? rows : 0) + (Widens(op) && Has(op, ScoreNeeds.Values) ? rows : 0)
            + (Has(op, ScoreNeeds.PreRopeKeys) ? rows : 0) + (Has(op, Attending) ? queries : 0) + (Has(op, ScoreNeeds.PreRopeQueries) ? queries : 0);
    }

    /// <inheritdoc/>
    public override int Rows(int head) => _store.Length[_firstRun + head];

    /// <inheritdoc/>
    public override int Keep(int head) => _op.Counts is Slot counts ? _frame.I32(counts)[head] : base.Keep(head);

    /// <inheritdoc/>
    public override ReadOnlySpan<int> Positions(int head) => new(_store.Position + _store.Start[_firstRun + head], Rows(head));

    /// <inheritdoc/>
    public override Span<float> Scores(int head) => new(_frame.F32(_op.Y) + ((long)head * _length), Rows(head));

    /// <inheritdoc/>
    public override void ForEach(int count, Action<int> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        if (Interlocked.CompareExchange(ref _sharing, 1, 0) != 0)
        {
            for (int i = 0; i < count; i++) body(i); // inside another ForEach
            return;
        }

        try
        {
            _frame.Workers.Run(new Calls(body), count);
        }
        finally
        {
            _sharing = 0;
        }
    }

    /// <inheritdoc/>
    protected override ReadOnlySpan<float> KeysOf(int head) => Stored(_keys, _store.Key(_store.Start[_firstRun + head]), head);

    /// <inheritdoc/>
    protected override ReadOnlySpan<float> ValuesOf(int head) => Stored(_values, _store.Value(_store.Start[_firstRun + head]), head);

    /// <inheritdoc/>
    protected override ReadOnlySpan<float> PreRopeKeysOf(int head) => new(HeadRows(_preRopeKeys, head), Rows(head) * HeadDim);

    /// <inheritdoc/>
    protected override ReadOnlySpan<float> QueriesAfterRope(int queryHead) => QueriesIn(_queries, queryHead);

    /// <inheritdoc/>
    protected override ReadOnlySpan<float> QueriesBeforeRope(int queryHead) => QueriesIn(_preRopeQueries, queryHead);

    /// <inheritdoc/>
    protected override void AttentionOf(int queryHead, int query, Span<float> attention)
    {
        int run = _firstRun + (queryHead / (QueryHeads / KvHeads)), rows = _store.Length[run];
        double[] weights = new double[rows];
        float* q = _queries + ((((long)queryHead * Queries) + query) * HeadDim);
        QueryAttention.Compute(_store, run, q, Tokens - Queries + query, Rule, weights);
        for (int j = 0; j < rows; j++) attention[j] = (float)weights[j];
    }

    /// <inheritdoc/>
    protected override void ProjectedNormsOf(int queryHead, Span<float> norms)
    {
        int run = _firstRun + (queryHead / (QueryHeads / KvHeads));
        double[] sums = new double[_store.Length[run]];
        fixed (float* scratch = new float[Projection.ScratchFloats(HeadDim)])
        {
            new Projection(_frame, _op.OutputProjection!).Norms(_store, run, queryHead, scratch, sums);
        }

        for (int j = 0; j < sums.Length; j++) norms[j] = (float)sums[j];
    }

    private static bool Has(ScoreRowsOp op, ScoreNeeds any) => (op.Rule.Needs & any) != 0;

    // Scorers of attention read the keys as floats.
    private static bool SeesKeys(ScoreRowsOp op) => Has(op, ScoreNeeds.Keys);

    private static bool Widens(ScoreRowsOp op) => op.Store.Store.RowType != DType.F32;

    private static int QueryHeadsOf(ScoreRowsOp op) =>
        (op.Window?.Tensor.Shape[2].Max ?? op.Store.Store.NumKvHeads * op.Store.Store.HeadDim) / op.Store.Store.HeadDim;

    private ReadOnlySpan<float> Stored(float* widened, byte* stored, int head) =>
        new(widened is null ? (float*)stored : HeadRows(widened, head), Rows(head) * HeadDim);

    private float* HeadRows(float* rows, int head) => rows + ((long)head * _length * HeadDim);

    private ReadOnlySpan<float> QueriesIn(float* queries, int head) => new(queries + ((long)head * Queries * HeadDim), Queries * HeadDim);

    // One item: a KV head.
    private readonly struct RowFill(HostScoreView x) : IJob
    {
        public void Run(int index, int worker)
        {
            (HostStore store, int rows, int d) = (x._store, x.Rows(index), x.HeadDim);
            long start = store.Start[x._firstRun + index];
            DType type = store.StoreSpec.RowType;
            if (x._keys is not null) Elements.Widen(type, store.Key(start), x.HeadRows(x._keys, index), (long)rows * d);
            if (x._values is not null) Elements.Widen(type, store.Value(start), x.HeadRows(x._values, index), (long)rows * d);
            if (x._preRopeKeys is null) return;
            float* keys = x.HeadRows(x._preRopeKeys, index);
            Elements.Widen(type, store.Key(start), keys, (long)rows * d);
            RopeTurn turn = new(x.Rotary);
            for (int j = 0; j < rows; j++) turn.Back(store.Position[start + j], keys + ((long)j * d));
        }
    }

    // One item: a query, of all heads.
    private readonly struct QueryFill(HostScoreView x) : IJob
    {
        public void Run(int index, int worker)
        {
            (int position, int d) = (x.Tokens - x.Queries + index, x.HeadDim);
            QueryRing ring = new(x._frame, x._op.Window!, x._frame.Value(x._op.Sequence), d);
            RopeTurn turn = new(x.Rotary);
            if (x._preRopeQueries is not null) turn.To(-position);
            for (int i = 0; i < x.QueryHeads; i++)
            {
                ReadOnlySpan<float> query = new(ring.At(position, i), d);
                long element = (((long)i * x.Queries) + index) * d;
                if (x._queries is not null) query.CopyTo(new Span<float>(x._queries + element, d));
                if (x._preRopeQueries is null) continue;
                query.CopyTo(new Span<float>(x._preRopeQueries + element, d));
                turn.Apply(x._preRopeQueries + element, 1 / x.Rotary.Factor);
            }
        }
    }

    private readonly struct Calls(Action<int> body) : IJob
    {
        public void Run(int index, int worker) => body(index);
    }
}
