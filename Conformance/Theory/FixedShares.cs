using System.Numerics;

namespace KvIL.Conformance.Theory;

/// <summary>Rows split by fixed weights, by definition: exact fractions, capped, rounded by largest remainders.</summary>
public static class FixedShares
{
    /// <summary>The rows of each entry.</summary>
    /// <remarks>
    /// <c>x_i = min(n_i, λ w_i)</c> with the λ for which they sum to the total: entries in order of n_i/w_i, where they become full.
    /// Entries without weight share what is left when all others are full.
    /// </remarks>
    /// <param name="weights">w, at least 0.</param>
    /// <param name="capacities">n.</param>
    /// <param name="total">Rows to split.</param>
    public static int[] Split(long[] weights, int[] capacities, long total)
    {
        int[] rows = new int[weights.Length];
        int[] order = [.. Weighted(weights, w => w > 0).OrderBy(i => new Fraction(capacities[i], weights[i]))];
        long left = Fill(order, [.. weights], capacities, total, rows);
        Fill([.. Weighted(weights, w => w == 0).OrderBy(i => capacities[i])], [.. weights.Select(_ => 1L)], capacities, left, rows);
        return rows;
    }

    /// <summary>The rows of each head of each layer beyond the protected ones, by <see cref="Eviction.HeadTable"/>'s equations.</summary>
    /// <param name="weights">w, <c>[layers][heads]</c>.</param>
    /// <param name="candidates">Rows of a head that compete.</param>
    /// <param name="average">Rows to keep of them on average.</param>
    public static int[][] OfHeads(long[][] weights, int candidates, int average)
    {
        (int layers, int heads) = (weights.Length, weights[0].Length);
        int[] all = Split([.. weights.SelectMany(w => w)], Times(candidates, layers * heads), (long)average * layers * heads);
        long[] ofLayers = [.. all.Chunk(heads).Select(x => x.Sum(rows => (long)rows))];
        int[] rows = Split(ofLayers, Times(candidates, layers), (long)average * layers);
        return [.. weights.Select((w, layer) => Split(w, Times(candidates, heads), (long)rows[layer] * heads))];
    }

    // Full ones first; the others share what is left by largest remainder. Returns what nobody could take.
    private static long Fill(int[] order, long[] weights, int[] capacities, long left, int[] rows)
    {
        for (int first = 0; first < order.Length; first++)
        {
            int[] open = order[first..];
            BigInteger sum = open.Aggregate(BigInteger.Zero, (s, i) => s + weights[i]);
            if (capacities[order[first]] * sum > (BigInteger)left * weights[order[first]])
            {
                foreach (int i in open) rows[i] = (int)((BigInteger)left * weights[i] / sum);
                long spare = left - open.Sum(i => (long)rows[i]);
                foreach (int i in open.OrderByDescending(i => (BigInteger)left * weights[i] % sum).ThenBy(i => i).Take((int)spare)) rows[i]++;
                return 0;
            }

            rows[order[first]] = capacities[order[first]];
            left -= rows[order[first]];
        }

        return left;
    }

    private static IEnumerable<int> Weighted(long[] weights, Func<long, bool> which) => Enumerable.Range(0, weights.Length).Where(i => which(weights[i]));

    private static int[] Times(int value, int count) => [.. Enumerable.Repeat(value, count)];

    private readonly record struct Fraction(long Above, long Below) : IComparable<Fraction>
    {
        public int CompareTo(Fraction other) => ((BigInteger)Above * other.Below).CompareTo((BigInteger)other.Above * Below);
    }
}
