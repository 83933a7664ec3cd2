using System.Numerics;
using KvIL.Eviction;

namespace KvIL.Conformance.Theory;

/// <summary>Splits of one total over layers by definition.</summary>
public static class LayerSplits
{
    /// <summary>
    /// The rules of <see cref="Allocation"/> with one total for the heads of all layers: <c>counts[layer][head]</c>.
    /// </summary>
    /// <remarks>The order is (score descending, layer ascending, head ascending, position ascending).</remarks>
    /// <param name="scores"><c>[layer][head][row]</c>; layers may differ in heads, heads in rows.</param>
    /// <param name="total">B, rows over all heads of all layers.</param>
    /// <param name="mode">The rule.</param>
    /// <param name="floor">Floor share of a blend or floor.</param>
    public static int[][] Global(float[][][] scores, long total, HeadAllocation mode, Ratio floor)
    {
        Queue<int> counts = new(Allocation.Counts([.. scores.SelectMany(layer => layer)], total, mode, floor));
        return [.. scores.Select(layer => layer.Select(_ => counts.Dequeue()).ToArray())];
    }

    /// <summary><c>P_l(k) = Σ of the k largest weights / Σ of all</c>: the share of its importance that a layer retains.</summary>
    public static double RetainedShare(IEnumerable<long> weights, int rows) =>
        weights.OrderDescending().Take(rows).Sum(w => (double)w) / weights.Sum(w => (double)w);

    /// <summary>The largest possible <c>min_l P_l(k_l)</c> over all splits with at least <paramref name="least"/> rows each, by trying all.</summary>
    public static double BestLeastShare(long[][] weights, int total, int least) =>
        BruteForce.Compositions([.. weights.Select(w => w.Length)], total)
            .Where(k => k.Zip(weights).All(p => p.First >= Math.Min(least, p.Second.Length)))
            .Max(k => LeastShare(weights, k));

    /// <summary><c>min_l P_l(k_l)</c>.</summary>
    public static double LeastShare(long[][] weights, int[] rows) => weights.Zip(rows, RetainedShare).Min();

    /// <summary>The ideal proportional shares <c>x_i = min(n_i, λ w_i)</c> with <c>Σ x = B</c>, as fractions of one denominator.</summary>
    /// <remarks>
    /// Entries in the order of <c>n_i/w_i</c>, in which a rising λ fills them; λ follows from how many are full. For positive weights
    /// and B below Σ n.
    /// </remarks>
    public static (BigInteger[] Numerators, BigInteger Denominator) IdealShares(long[] weights, int[] capacities, long total)
    {
        int[] order = [.. Enumerable.Range(0, weights.Length)];
        Array.Sort(order, (a, b) => ((Int128)capacities[a] * weights[b]).CompareTo((Int128)capacities[b] * weights[a]));
        for (int full = 0; full < order.Length; full++)
        {
            // λ = left/sum
            BigInteger left = total - order.Take(full).Sum(i => (long)capacities[i]);
            BigInteger sum = order.Skip(full).Aggregate(BigInteger.Zero, (s, i) => s + weights[i]);
            int next = order[full];
            if (left * weights[next] >= capacities[next] * sum) continue;
            int[] open = order[full..];
            return ([.. weights.Select((w, i) => open.Contains(i) ? left * w : capacities[i] * sum)], sum);
        }

        return ([.. capacities.Select(n => (BigInteger)n)], BigInteger.One);
    }
}
