using static KvIL.Conformance.Theory.Arrays;

namespace KvIL.Conformance.Theory;

/// <summary>A counterexample: eviction by overwriting a key with one that some queries hardly see.</summary>
/// <remarks>
/// kvpress removes rows of single heads this way. <c>k* = −10⁵ Y / ‖Y‖²</c> with <c>q · Y &gt; 0</c> for every query known gives
/// <c>q · k* &lt; 0</c>, and nothing more: the logit is −10⁵ (q · Y)/‖Y‖², which a query nearly orthogonal to Y makes as small as
/// it likes, and a later query may have q · Y &lt; 0 and attend to nothing else. No memory is freed. KvIL removes rows instead.
/// </remarks>
public static class FakeKey
{
    /// <summary>k* for the queries of one KV head, or null where 1000 rounds find no Y.</summary>
    /// <remarks><c>Y ← mean q</c>, then <c>Y ← Y + mean {q : q · Y ≤ 0}</c> until that set is empty.</remarks>
    public static double[]? Find(double[][] queries)
    {
        double[] y = Mean(queries);
        for (int round = 0; round < 1000; round++)
        {
            double[][] wrong = [.. queries.Where(q => Dot(q, y) <= 0)];
            if (wrong.Length == 0) return [.. y.Select(c => -1e5 * c / Dot(y, y))];
            double[] step = Mean(wrong);
            y = [.. y.Select((c, i) => c + step[i])];
        }

        return null;
    }
}
