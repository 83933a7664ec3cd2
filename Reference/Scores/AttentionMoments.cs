using KvIL.Eviction.Scores;
using KvIL.Reference.Simd;

namespace KvIL.Reference.Scores;

/// <summary>Mean and variance over the queries of what each row gets: <c>mean_t a_tj</c> and <c>Σ_t (a_tj − mean)²/(w − 1)</c>, 0 for one query.</summary>
internal sealed unsafe class AttentionMoments
{
    private readonly int _queries;
    private readonly double[] _sums;
    private readonly double[] _squares;

    /// <summary>Nothing added yet, for <paramref name="rows"/> rows and so many queries.</summary>
    public AttentionMoments(int rows, int queries) => (_queries, _sums, _squares) = (queries, new double[rows], new double[rows]);

    /// <summary>Moments of a query head's attention by the queries at hand.</summary>
    public static AttentionMoments Of(ScoreView x, int queryHead)
    {
        AttentionMoments moments = new(x.Rows(x.KvHead(queryHead)), x.Queries);
        QueryPanels.Scan(x, queryHead, (_, lanes, begin, end, weights) =>
        {
            for (int j = begin; j < end; j++) moments.Add(j, weights + ((long)(j - begin) * Tile.Width), lanes);
        });
        return moments;
    }

    /// <summary>Adds weights of one row, of the next queries.</summary>
    public void Add(int row, float* weights, int count)
    {
        for (int t = 0; t < count; t++)
        {
            _sums[row] += weights[t];
            _squares[row] += (double)weights[t] * weights[t];
        }
    }

    /// <summary>Mean of a row.</summary>
    public double Mean(int row) => _queries == 0 ? 0 : _sums[row] / _queries;

    /// <summary>Variance of a row.</summary>
    public double Variance(int row) =>
        _queries < 2 ? 0 : Math.Max(0, _squares[row] - (_sums[row] * (_sums[row] / _queries))) / (_queries - 1);
}
