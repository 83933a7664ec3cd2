using KvIL.Eviction;
using KvIL.Ops;
using static KvIL.Conformance.Theory.Arrays;

namespace KvIL.Conformance.Theory;

/// <summary>Scores of the SnapKV family by definition, in double.</summary>
/// <remarks>
/// Shapes: q <c>[h, T, d]</c>, k <c>[kv, T, d]</c> after RoPE; attention <c>[h, w, T]</c>; scores <c>[heads, n]</c> with
/// n = T − w rows before the window. Query head i reads KV head i / G, G = h / kv.
/// </remarks>
public static class WindowScores
{
    /// <summary><c>softmax(x)_j = exp(x_j − max x) / Σ exp(x − max x)</c>; −∞ has weight 0.</summary>
    public static double[] Softmax(IReadOnlyList<double> logits)
    {
        double max = logits.Max();
        double[] e = [.. logits.Select(x => Math.Exp(x - max))];
        double sum = e.Sum();
        return [.. e.Select(x => x / sum)];
    }

    /// <summary>
    /// <c>a[i, t, ·] = softmax_j( q_i(T − w + t) · k_{i/G}(j) / √d )</c> over the keys <c>j ≤ T − w + t</c>.
    /// </summary>
    public static double[,,] Attention(double[,,] q, double[,,] k, int window) =>
        Attention(q, k, window, [.. Enumerable.Range(0, k.GetLength(1))], k.GetLength(1), null);

    /// <summary>The same for rows with any ascending positions: the last query stands at <paramref name="tokens"/> − 1.</summary>
    /// <param name="q">Queries, of which the last w attend.</param>
    /// <param name="k">Keys.</param>
    /// <param name="window">w.</param>
    /// <param name="positions">Position of each row.</param>
    /// <param name="tokens">The position that comes next.</param>
    /// <param name="rule">How logits are made and which rows a query sees; null for 1/√d and all.</param>
    public static double[,,] Attention(double[,,] q, double[,,] k, int window, int[] positions, int tokens, AttentionRule? rule)
    {
        (int h, int d, int rows) = (q.GetLength(0), q.GetLength(2), positions.Length);
        int g = h / k.GetLength(0);
        double[,,] a = new double[h, window, rows];
        for (int x = 0; x < h * window; x++)
        {
            (int i, int t) = (x / window, x % window);
            (int query, int position) = (q.GetLength(1) - window + t, tokens - window + t);
            double Logit(int j)
            {
                double product = Enumerable.Range(0, d).Sum(c => q[i, query, c] * k[i / g, j, c]);
                double scaled = rule is AttentionRule r ? r.Scale * product : product / Math.Sqrt(d);
                return rule?.SoftCap is float cap ? cap * Math.Tanh(scaled / cap) : scaled;
            }

            int[] seen = [.. Enumerable.Range(0, rows).Where(j => Sees(position, positions[j], rule))];
            if (seen.Length == 0) continue;
            double[] weights = Softmax([.. seen.Select(Logit)]);
            foreach ((int n, int j) in seen.Index()) a[i, t, j] = weights[n];
        }

        return a;
    }

    /// <summary>Whether a query at a position sees a row at another.</summary>
    public static bool Sees(int query, int row, AttentionRule? rule) =>
        row <= query - (rule?.Lag ?? 0) && (rule?.Window is not int window || row > query - window);

    /// <summary>
    /// <c>s[i, j] = mean_t a[i, t, j]</c> over the window's queries, for the first <paramref name="n"/> keys.
    /// </summary>
    /// <remarks>
    /// Weights are not renormalised after the window's own keys are dropped. SnapKV's sum over t is w times this.
    /// </remarks>
    public static double[,] MeanOverWindow(double[,,] a, int n) => Table(
        a.GetLength(0), n, (i, j) => Enumerable.Range(0, a.GetLength(1)).Average(t => a[i, t, j]));

    /// <summary><c>out[g, j] = reduce { s[i, j] : i / G = g }</c> over the query heads of one KV head.</summary>
    /// <param name="s"><c>[h, n]</c>.</param>
    /// <param name="kvHeads">kv; equal to h leaves the scores as they are.</param>
    /// <param name="reduce">Mean or maximum.</param>
    public static double[,] Group(double[,] s, int kvHeads, Func<IEnumerable<double>, double> reduce)
    {
        int g = s.GetLength(0) / kvHeads;
        return Table(kvHeads, s.GetLength(1), (kv, j) => reduce(Enumerable.Range(kv * g, g).Select(i => s[i, j])));
    }

    /// <summary>Each row pooled: <see cref="PoolAt"/>.</summary>
    public static double[,] Pool(double[,] s, int kernel, PoolKind kind)
    {
        int n = s.GetLength(1);
        return Table(s.GetLength(0), n, (i, j) => PoolAt([.. Enumerable.Range(0, n).Select(x => s[i, x])], j, kernel, kind));
    }

    /// <summary><c>max or (1/k) Σ of x[j + o], |o| ≤ (k − 1)/2</c>; beyond the ends −∞ for max and 0 for avg.</summary>
    public static double PoolAt(IReadOnlyList<double> x, int j, int kernel, PoolKind kind)
    {
        int half = (kernel - 1) / 2;
        IEnumerable<double> near = x.Where((_, i) => Math.Abs(i - j) <= half);
        return kind == PoolKind.Max ? near.Max() : near.Sum() / kernel;
    }

    /// <summary>
    /// Scores of one layer as published code has them: mean over the window, then group and pool in either order.
    /// </summary>
    public static double[,] Scores(
        double[,,] a, int kvHeads, int kernel, PoolKind kind, PoolOrder order, Func<IEnumerable<double>, double> group)
    {
        double[,] mean = MeanOverWindow(a, a.GetLength(2) - a.GetLength(1));
        return order == PoolOrder.GroupThenPool
            ? Pool(Group(mean, kvHeads, group), kernel, kind)
            : Group(Pool(mean, kernel, kind), kvHeads, group);
    }

    /// <summary>
    /// Scores as the Ada-KV paper's Algorithm 2 prints them: each query pooled, then the mean over the window.
    /// </summary>
    public static double[,] PooledThenMean(double[,,] a, int kernel, PoolKind kind)
    {
        (int h, int w, int n) = (a.GetLength(0), a.GetLength(1), a.GetLength(2) - a.GetLength(1));
        double[,] Row(int t) => Pool(Table(h, n, (i, j) => a[i, t, j]), kernel, kind);
        double[][,] perQuery = [.. Enumerable.Range(0, w).Select(Row)];
        return Table(h, n, (i, j) => perQuery.Average(p => p[i, j]));
    }
}
