using System.Numerics;
using KvIL.Eviction;

namespace KvIL.Conformance.Theory;

/// <summary>Head budgets by definition: full sorts, rows dealt like cards, rationals of unlimited size.</summary>
/// <remarks>
/// <c>scores[i]</c> are head i's candidates in ascending position; heads may differ in length. B counts rows of all
/// heads.
/// </remarks>
public static class Allocation
{
    /// <summary>
    /// The kept rows first to last: score descending (NaN as −∞, −0 as +0), then head, then position ascending.
    /// </summary>
    public static IEnumerable<(int Head, int Position)> Order(float[][] scores) => scores
        .SelectMany((row, head) => row.Select((score, position) => (score, head, position)))
        .OrderByDescending(e => float.IsNaN(e.score) ? double.NegativeInfinity : e.score == 0 ? 0.0 : e.score)
        .ThenBy(e => e.head).ThenBy(e => e.position)
        .Select(e => (e.head, e.position));

    /// <summary>The rule named by <paramref name="mode"/>.</summary>
    public static int[] Counts(float[][] scores, long total, HeadAllocation mode, Ratio floor) => mode switch
    {
        HeadAllocation.Uniform => Uniform([.. scores.Select(s => s.Length)], total),
        HeadAllocation.Pure => Pure(scores, total),
        HeadAllocation.Blend => Blend(scores, total, floor),
        _ => Floor(scores, total, floor),
    };

    /// <summary>
    /// Rows dealt one at a time, in rounds from the lowest head, to every head that still has candidates.
    /// </summary>
    public static int[] Uniform(int[] candidates, long total)
    {
        int[] counts = new int[candidates.Length];
        long left = Math.Min(total, candidates.Sum());
        for (int turn = 0; left > 0; turn++)
        {
            int i = turn % counts.Length;
            if (counts[i] == candidates[i]) continue;
            counts[i]++;
            left--;
        }

        return counts;
    }

    /// <summary><c>f_i = #{rows of head i among the B globally best}</c> (Ada-KV, Algorithm 1).</summary>
    public static int[] Pure(float[][] scores, long total)
    {
        (int Head, int)[] best = [.. Order(scores).Take((int)total)];
        return [.. scores.Select((_, i) => best.Count(e => e.Head == i))];
    }

    /// <summary><c>(1 − r) f_i + r u_i</c> to whole rows by largest remainder, ties to the lower head.</summary>
    public static int[] Blend(float[][] scores, long total, Ratio floor)
    {
        (BigInteger[] quota, BigInteger one) = Quotas(scores, total, HeadAllocation.Blend, floor);
        int[] counts = [.. quota.Select(q => (int)(q / one))];
        long spare = Math.Min(total, scores.Sum(s => s.Length)) - counts.Sum();
        IEnumerable<int> byRemainder = Enumerable.Range(0, counts.Length).OrderByDescending(i => quota[i] % one);
        foreach (int i in byRemainder.Take((int)spare)) counts[i]++;
        return counts;
    }

    /// <summary>What each head would get if rows could be divided, as numerators over one denominator.</summary>
    /// <remarks>
    /// <code>uniform: u_i    pure: f_i    blend: (1 − r) f_i + r u_i</code>
    /// A floor has no such number: its rule is in whole rows, which are given.
    /// </remarks>
    public static (BigInteger[] Numerators, BigInteger Denominator) Quotas(float[][] scores, long total, HeadAllocation mode, Ratio floor)
    {
        if (mode is HeadAllocation.Pure or HeadAllocation.Floor)
        {
            return ([.. Counts(scores, total, mode, floor).Select(count => (BigInteger)count)], BigInteger.One);
        }

        (BigInteger[] uniform, BigInteger unit) = IdealUniform([.. scores.Select(s => s.Length)], total);
        if (mode == HeadAllocation.Uniform) return (uniform, unit);
        int[] pure = Pure(scores, total);
        return ([.. pure.Select((f, i) => ((floor.Denominator - floor.Numerator) * f * unit) + (floor.Numerator * uniform[i]))], unit * floor.Denominator);
    }

    /// <summary>The best <c>⌊r u_i⌋</c> rows of every head, then the globally best of the rest.</summary>
    public static int[] Floor(float[][] scores, long total, Ratio floor)
    {
        (BigInteger[] uniform, BigInteger unit) = IdealUniform([.. scores.Select(s => s.Length)], total);
        int[] counts = [.. uniform.Select(u => (int)(u * floor.Numerator / (unit * floor.Denominator)))];
        int[] seen = new int[counts.Length];
        int[] reserved = [.. counts];
        long left = total - counts.Sum();
        foreach ((int i, _) in Order(scores).Where(e => ++seen[e.Head] > reserved[e.Head]).Take((int)left)) counts[i]++;
        return counts;
    }

    /// <summary>Head budgets that minimise <c>ε_head = 2 Σ C_i (1 − F_i)</c>: counts in the global top B of <c>C_i A_i</c>.</summary>
    /// <remarks>
    /// KvIL's own, after Ada-KV's Theorem 3.3 with each head's norm in place of their maximum; the exchange argument is the same.
    /// Equal products go to the lower head, then to the lower position.
    /// </remarks>
    /// <param name="attention">A_i, rows of each head.</param>
    /// <param name="norms">C_i ≥ 0 (<see cref="EvictionLoss.HeadNorm"/>).</param>
    /// <param name="total">B.</param>
    public static int[] Weighted(double[][] attention, double[] norms, int total)
    {
        int[] heads = [.. attention.SelectMany((row, i) => row.Select(a => (Product: norms[i] * a, Head: i)))
            .OrderByDescending(e => e.Product).Take(total).Select(e => e.Head)];
        return [.. attention.Select((_, i) => heads.Count(h => h == i))];
    }

    /// <summary>Every head's scores times the share of its mass that its best <paramref name="rows"/> hold.</summary>
    /// <remarks>
    /// The <c>normalize</c> option of the AdaKV repository: for the split over heads only, never for the rows.
    /// <code>S'_i = S_i · Σ_{best rows} S_i / Σ S_i</code>
    /// </remarks>
    public static float[][] Normalised(float[][] scores, int rows) => [.. scores.Select(row =>
    {
        double share = row.OrderDescending().Take(rows).Sum(x => (double)x) / row.Sum(x => (double)x);
        return row.Select(x => (float)(x * share)).ToArray();
    })];

    /// <summary>
    /// <c>u_i</c> in units of 1/lcm(1..H): what is left is shared equally; heads that the share overfills take their candidates and
    /// leave; repeat.
    /// </summary>
    public static (BigInteger[] Shares, BigInteger Unit) IdealUniform(int[] candidates, long total)
    {
        BigInteger unit = Enumerable.Range(1, candidates.Length)
            .Aggregate(BigInteger.One, (l, i) => l / BigInteger.GreatestCommonDivisor(l, i) * i);
        var shares = candidates.Select(n => n * unit).ToArray();
        List<int> open = [.. Enumerable.Range(0, candidates.Length)];
        BigInteger left = total * unit;
        while (open.Count > 0)
        {
            BigInteger equal = left / open.Count;
            List<int> full = open.FindAll(i => shares[i] <= equal);
            foreach (int i in full) left -= shares[i];
            if (full.Count == 0) open.ForEach(i => shares[i] = equal);
            open = full.Count == 0 ? [] : [.. open.Except(full)];
        }

        return (shares, unit);
    }

    /// <summary>
    /// Kept rows of one run: the protected ones and the <paramref name="keep"/> best candidates, ascending.
    /// </summary>
    /// <param name="scores">Scores of the whole run.</param>
    /// <param name="begin">First candidate.</param>
    /// <param name="count">Number of candidates.</param>
    /// <param name="keep">Candidates to keep.</param>
    public static int[] Rows(float[] scores, int begin, int count, int keep)
    {
        IEnumerable<int> best = Order([scores[begin..(begin + count)]]).Take(keep).Select(e => begin + e.Position);
        IEnumerable<int> guarded = Enumerable.Range(0, scores.Length).Where(j => j < begin || j >= begin + count);
        return [.. best.Concat(guarded).Order()];
    }
}
