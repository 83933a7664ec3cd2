using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>LagKV: rows whose keys and values spread unevenly, measured by the ranges of the block that follows theirs.</summary>
/// <remarks>
/// LagKV (arXiv:2504.04704); kvpress, <c>LagKVPress</c>. Rows after the sinks in blocks of <c>lag</c>; for x = k and x = v, block b and channel c:
/// <code>
/// x̂[j, c] = (x[j, c] − min_{b+1} x[·, c]) / (max_{b+1} x[·, c] − min_{b+1} x[·, c])
/// s_x[j]  = softmax over the block of std_c x̂[j, c]        std with n − 1
/// s[j]    = (s_k[j] + s_v[j])/2        not crossing blocks: rank of s[j] in its block / lag
/// </code>
/// The last whole block and what follows it are kept. Fewer than <c>sinks + 2 lag</c> rows: <c>s[j] = (j − sinks)/(T − sinks)</c>.
/// </remarks>
/// <param name="Sinks">Rows at the start that are kept.</param>
/// <param name="Lag">Rows of a block.</param>
/// <param name="CrossScoring">Whether scores of different blocks compete as they are.</param>
public sealed record LagKv(int Sinks = 4, int Lag = 128, bool CrossScoring = false) : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.Keys | ScoreNeeds.Values;

    /// <inheritdoc/>
    public (int Begin, int Count) Candidates(int length)
    {
        int sinks = ProtectedRows.Sinks(length, Sinks, 0);
        return (sinks, TooShort(length) ? length - sinks : ((length - sinks) / Lag * Lag) - Lag);
    }

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x)
    {
        (int begin, int count) = Candidates(x.Length);
        (double[,,] k, double[,,] v) = (x.Keys, x.Values);
        if (TooShort(x.Length)) return Arrays.Table(x.KvHeads, count, (_, j) => (double)j / count);
        double[,] s = new double[x.KvHeads, count];
        for (int block = 0; block < x.KvHeads * (count / Lag); block++)
        {
            (int g, int first) = (block / (count / Lag), block % (count / Lag) * Lag);
            double[] keys = BlockScores(k, g, begin + first);
            double[] values = BlockScores(v, g, begin + first);
            double[] mean = [.. keys.Zip(values, (a, b) => (a + b) / 2)];
            for (int j = 0; j < Lag; j++)
            {
                s[g, first + j] = CrossScoring ? mean[j] : (double)mean.Count(y => y < mean[j]) / Lag;
            }
        }

        return s;
    }

    private bool TooShort(int length) => length < Sinks + (2 * Lag);

    private double[] BlockScores(double[,,] x, int g, int first)
    {
        (double Min, double Range)[] next = [.. Enumerable.Range(0, x.GetLength(2)).Select(c =>
        {
            double[] column = [.. Enumerable.Range(first + Lag, Lag).Select(j => x[g, j, c])];
            return (column.Min(), column.Max() - column.Min());
        })];
        double Spread(int j) => Math.Sqrt(Arrays.Variance([.. next.Select((r, c) => (x[g, j, c] - r.Min) / r.Range)]));
        return WindowScores.Softmax([.. Enumerable.Range(first, Lag).Select(Spread)]);
    }
}
