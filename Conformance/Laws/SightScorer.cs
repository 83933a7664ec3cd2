using KvIL.Eviction;
using KvIL.Eviction.Scores;

namespace KvIL.Conformance.Laws;

/// <summary>What a score may read.</summary>
internal enum Sight
{
    /// <summary><see cref="ScoreView.Keys"/>.</summary>
    Keys,

    /// <summary><see cref="ScoreView.Values"/>.</summary>
    Values,

    /// <summary><see cref="ScoreView.PreRopeKeys"/>.</summary>
    PreRopeKeys,

    /// <summary><see cref="ScoreView.QueriesOf"/>.</summary>
    Queries,

    /// <summary><see cref="ScoreView.PreRopeQueriesOf"/>.</summary>
    PreRopeQueries,

    /// <summary><see cref="ScoreView.Attention"/>.</summary>
    Attention,

    /// <summary><see cref="ScoreView.ProjectedNorms"/>.</summary>
    ProjectedNorms,

    /// <summary>The plain numbers.</summary>
    Numbers,
}

/// <summary>A score that shows what it saw: sums of magnitudes, each channel and query weighted differently.</summary>
internal sealed class SightScorer(Sight sight) : IScorer
{
    public string Name => "sight";

    public ScoreNeeds Needs => sight switch
    {
        Sight.Keys => ScoreNeeds.Keys,
        Sight.Values => ScoreNeeds.Values,
        Sight.PreRopeKeys => ScoreNeeds.PreRopeKeys,
        Sight.Queries => ScoreNeeds.Queries,
        Sight.PreRopeQueries => ScoreNeeds.PreRopeQueries,
        Sight.Attention => ScoreNeeds.WindowQueries,
        Sight.ProjectedNorms => ScoreNeeds.OutputProjection,
        _ => ScoreNeeds.None,
    };

    public void Score(ScoreView x) => x.ForEach(x.KvHeads, g =>
    {
        double[] s = new double[x.Rows(g)];
        for (int i = 0; i < x.QueryHeads / x.KvHeads; i++) Add(x, g, (g * (x.QueryHeads / x.KvHeads)) + i, s);
        for (int j = 0; j < s.Length; j++) x.Scores(g)[j] = (float)s[j];
    });

    private void Add(ScoreView x, int g, int i, double[] s)
    {
        float[] row = new float[s.Length];
        for (int j = 0; j < s.Length; j++)
        {
            int d = x.HeadDim;
            s[j] += sight switch
            {
                Sight.Keys => Weighted(x.Keys(g).Slice(j * d, d)),
                Sight.Values => Weighted(x.Values(g).Slice(j * d, d)),
                Sight.PreRopeKeys => Weighted(x.PreRopeKeys(g).Slice(j * d, d)),
                Sight.Queries => x.Queries == 0 ? 0 : Weighted(x.QueriesOf(i).Slice(j % x.Queries * d, d)),
                Sight.PreRopeQueries => x.Queries == 0 ? 0 : Weighted(x.PreRopeQueriesOf(i).Slice(j % x.Queries * d, d)),
                Sight.Numbers => x.Tokens + (3 * x.Sinks) + (5 * x.Window) + (7 * x.Queries) + x.Positions(g)[j],
                _ => 0,
            };
        }

        for (int t = 0; sight == Sight.Attention && t < x.Queries; t++)
        {
            x.Attention(i, t, row);
            for (int j = 0; j < s.Length; j++) s[j] += (t + 1) * row[j];
        }

        if (sight != Sight.ProjectedNorms) return;
        x.ProjectedNorms(i, row);
        for (int j = 0; j < s.Length; j++) s[j] += row[j];
    }

    private static double Weighted(ReadOnlySpan<float> x)
    {
        double sum = 0;
        for (int c = 0; c < x.Length; c++) sum += (c + 1) * Math.Abs((double)x[c]);
        return sum;
    }
}
