using KvIL.Eviction;
using KvIL.Eviction.Scores;
using KvIL.Ops;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>What a layer shows to a score, and which of it has been read.</summary>
/// <remarks>Shapes as in <see cref="ScoreNeeds"/>. Query head i reads KV head i / G, G = h / kv.</remarks>
public sealed class ScoreInputs
{
    private readonly double[,,] _keys;
    private readonly double[,,]? _values;
    private readonly double[,,]? _queries;
    private readonly double[,,]? _preRopeKeys;
    private readonly double[,,]? _preRopeQueries;
    private readonly double[,,]? _attention;
    private readonly double[,]? _outputProjection;
    private readonly double[,]? _calibration;
    private readonly int[]? _positions;
    private readonly int? _tokens;

    /// <summary>A layer with these cached keys, <c>[kv, T, d]</c>.</summary>
    public ScoreInputs(double[,,] keys) => _keys = keys;

    /// <summary>What has been read of it.</summary>
    public ScoreNeeds Seen { get; private set; }

    /// <summary>kv.</summary>
    public int KvHeads => _keys.GetLength(0);

    /// <summary>T.</summary>
    public int Length => _keys.GetLength(1);

    /// <summary>Position of each row, ascending; the number of the row unless given.</summary>
    public int[] Positions { get => _positions ?? [.. Enumerable.Range(0, Length)]; init => _positions = value; }

    /// <summary>The position that comes next; the last query stands before it. T unless given.</summary>
    public int Tokens { get => _tokens ?? Length; init => _tokens = value; }

    /// <summary>How attention is made; null for 1/√d over all rows up to the query's.</summary>
    public AttentionRule? Rule { get; init; }

    /// <summary>RoPE of the layer; null where the score has a base of its own.</summary>
    public Rotary? Rotary { get; init; }

    /// <summary>Queries at hand: the last ones.</summary>
    public int AtHand => (_queries ?? _preRopeQueries)?.GetLength(1) ?? Length;

    /// <summary>Position of the oldest query at hand.</summary>
    public int Oldest => Tokens - AtHand;

    /// <summary>Keys after RoPE.</summary>
    public double[,,] Keys => See(ScoreNeeds.Keys, _keys);

    /// <summary>Values.</summary>
    public double[,,] Values { get => See(ScoreNeeds.Values, _values); init => _values = value; }

    /// <summary>All queries after RoPE; attention is computed from them where it is not given.</summary>
    public double[,,] Queries { get => See(ScoreNeeds.Queries, _queries); init => _queries = value; }

    /// <summary>Keys before RoPE.</summary>
    public double[,,] PreRopeKeys { get => See(ScoreNeeds.PreRopeKeys, _preRopeKeys); init => _preRopeKeys = value; }

    /// <summary>All queries before RoPE.</summary>
    public double[,,] PreRopeQueries { get => See(ScoreNeeds.PreRopeQueries, _preRopeQueries); init => _preRopeQueries = value; }

    /// <summary>The output projection.</summary>
    public double[,] OutputProjection
    {
        get => See(ScoreNeeds.OutputProjection, _outputProjection);
        init => _outputProjection = value;
    }

    /// <summary>A learned direction per KV head.</summary>
    public double[,] Calibration { get => See(ScoreNeeds.Calibration, _calibration); init => _calibration = value; }

    /// <summary>Attention <c>[h, T, T]</c> given instead of computed.</summary>
    public double[,,] Attention { init => _attention = value; }

    /// <summary>Attention of the last <paramref name="window"/> queries, <c>[h, w, T]</c>.</summary>
    public double[,,] WindowAttention(int window) => See(ScoreNeeds.WindowQueries, LastRows(window));

    /// <summary>Attention of the last query, <c>[h, T]</c>.</summary>
    public double[,] LastRow()
    {
        double[,,] a = See(ScoreNeeds.LastRow, LastRows(1));
        return Arrays.Table(a.GetLength(0), Length, (i, j) => a[i, 0, j]);
    }

    /// <summary><c>Σ_t a[i, t, j]</c> over all queries at hand, <c>[h, T]</c>.</summary>
    public double[,] ColumnSums()
    {
        double[,,] a = See(ScoreNeeds.ColumnSums, LastRows(AtHand));
        return Arrays.Table(a.GetLength(0), Length, (i, j) => Enumerable.Range(0, AtHand).Sum(t => a[i, t, j]));
    }

    /// <summary>Queries at hand that see row j.</summary>
    public int SeenBy(int j) => Enumerable.Range(Oldest, AtHand).Count(p => WindowScores.Sees(p, Positions[j], Rule));

    // The last rows of what is given, or of causal softmax attention.
    private double[,,] LastRows(int count)
    {
        if (_attention is null) return WindowScores.Attention(_queries ?? throw Missing(ScoreNeeds.Queries), _keys, count, Positions, Tokens, Rule);
        double[,,] rows = new double[_attention.GetLength(0), count, Length];
        for (int x = 0; x < rows.Length; x++)
        {
            (int i, int t, int j) = (x / (count * Length), x / Length % count, x % Length);
            rows[i, t, j] = _attention[i, Length - count + t, j];
        }

        return rows;
    }

    private T See<T>(ScoreNeeds what, T? value)
        where T : class
    {
        Seen |= what;
        return value ?? throw Missing(what);
    }

    private static InvalidOperationException Missing(ScoreNeeds what) => new($"The score needs {what}, which was not given.");
}
