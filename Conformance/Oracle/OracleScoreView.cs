using KvIL.Conformance.Theory;
using KvIL.Conformance.Theory.Scores;
using KvIL.Eviction.Scores;
using KvIL.Ops;

namespace KvIL.Conformance.Oracle;

/// <summary>What a user's own score sees of the oracle's data, rounded to float, one thread.</summary>
internal sealed class OracleScoreView : ScoreView
{
    private readonly LayerRows _layer;
    private readonly ScoreInputs[] _heads;
    private readonly double[,] _projection;
    private readonly float[][] _scores;

    public OracleScoreView(ScoreRowsOp op, OracleFrame f, LayerRows layer)
        : base(op.Rule.Needs)
    {
        (_layer, Rule, Rotary, HeadDim) = (layer, op.Attention, op.Rotary, op.Store.Store.HeadDim);
        _heads = [.. Enumerable.Range(0, layer.KvHeads).Select(layer.Inputs)];
        _scores = [.. _heads.Select(h => new float[h.Length])];
        _projection = new double[0, 0];
        if (op.OutputProjection is null) return;
        Matrix weight = f.Reals(op.OutputProjection);
        _projection = Arrays.Table(weight.Rows, weight.Width, (i, j) => weight[i, j]);
    }

    public override int KvHeads => _layer.KvHeads;

    public override int QueryHeads => _layer.QueryHeads;

    public override int HeadDim { get; }

    public override int Tokens => _layer.Tokens;

    public override int Sinks => _layer.Sinks;

    public override int Window => _layer.Window;

    public override int Queries => _layer.AtHand;

    public override AttentionRule Rule { get; }

    public override Rotary Rotary { get; }

    private int Group => QueryHeads / KvHeads;

    public override int Rows(int head) => _heads[head].Length;

    public override ReadOnlySpan<int> Positions(int head) => _heads[head].Positions;

    public override Span<float> Scores(int head) => _scores[head];

    public override void ForEach(int count, Action<int> body)
    {
        for (int i = 0; i < count; i++) body(i);
    }

    protected override ReadOnlySpan<float> KeysOf(int head) => Floats(_heads[head].Keys, 0);

    protected override ReadOnlySpan<float> ValuesOf(int head) => Floats(_heads[head].Values, 0);

    protected override ReadOnlySpan<float> PreRopeKeysOf(int head) => Floats(_heads[head].PreRopeKeys, 0);

    protected override ReadOnlySpan<float> QueriesAfterRope(int queryHead) => Floats(_heads[queryHead / Group].Queries, queryHead % Group);

    protected override ReadOnlySpan<float> QueriesBeforeRope(int queryHead) => Floats(_heads[queryHead / Group].PreRopeQueries, queryHead % Group);

    protected override void AttentionOf(int queryHead, int query, Span<float> attention)
    {
        double[,,] a = _heads[queryHead / Group].WindowAttention(Queries);
        for (int j = 0; j < a.GetLength(2); j++) attention[j] = (float)a[queryHead % Group, query, j];
    }

    // ‖v_j W_i‖₁, W_i the transpose of the projection's columns of head i
    protected override void ProjectedNormsOf(int queryHead, Span<float> norms)
    {
        double[,,] v = _heads[queryHead / Group].Values;
        for (int j = 0; j < v.GetLength(1); j++)
        {
            int row = j;
            double Output(int o) => Enumerable.Range(0, HeadDim).Sum(c => _projection[o, (queryHead * HeadDim) + c] * v[0, row, c]);
            norms[j] = (float)Enumerable.Range(0, _projection.GetLength(0)).Sum(o => Math.Abs(Output(o)));
        }
    }

    private static float[] Floats(double[,,] x, int i) => [.. Arrays.Vectors(x, i).SelectMany(row => row.Select(y => (float)y))];
}
