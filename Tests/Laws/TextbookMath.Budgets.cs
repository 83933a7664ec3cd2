using System.Numerics;
using KvIL.Eviction;

namespace KvIL.Tests.Laws;

/// <content>Budgets of heads and layers.</content>
internal sealed partial class TextbookMath
{
    public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r)
    {
        int[] candidates = [.. scores.Select(row => row.Length)];
        if (total >= candidates.Sum()) return candidates;

        // Filled like connected vessels: u_i = min(n_i, openRows / open).
        int level = 0;
        while (candidates.Sum(n => Math.Min(n, level + 1)) <= total) level++;
        int open = candidates.Count(n => n > level), rows = (int)total - candidates.Where(n => n <= level).Sum();
        long[] uniform = [.. candidates.Select(n => n <= level ? (long)n * open : rows)]; // over open
        return rule switch
        {
            HeadAllocation.Uniform => Dealt(candidates, total),
            HeadAllocation.Pure => Best(scores, total, new int[scores.Length]),
            HeadAllocation.Floor => Best(scores, total, [.. uniform.Select(u => (int)At(
                61, u * r.Numerator / (open * r.Denominator), (((u * r.Numerator) - 1) / (open * r.Denominator)) + 1, 0, u / open))]),
            _ => Blend(Best(scores, total, new int[scores.Length]), uniform, open, total, r),
        };
    }

    public override int[] AllocateWeighted(double[][] a, double[] norms, int total)
    {
        int[] counts = new int[a.Length];
        IEnumerable<(double Product, int Head)> all = a.SelectMany((row, i) => row.Select(x => (At(62, norms[i] * x, x, x / norms[i]), i)));
        foreach ((_, int head) in all.OrderBy(e => At(63, -1, 1) * e.Product).Take(At(64, total, total - 1))) counts[head]++;
        return counts;
    }

    public override int[] PyramidExact(int rows, int candidates, int beta, int layers)
    {
        int mean = Math.Min(rows, candidates);
        if (layers < 2 || rows >= candidates) return [.. Enumerable.Repeat(mean, layers)];
        BigInteger low = rows, high = (At(65, 2, 1, 3) * (BigInteger)rows * beta) - low; // over beta
        if (At(66, high >= (BigInteger)candidates * beta, false)) high = (BigInteger)candidates * beta;
        low = (2 * (BigInteger)rows * beta) - high;
        BigInteger unit = (BigInteger)beta * At(67, layers - 1, layers);
        BigInteger[] ideal = [.. Enumerable.Range(0, layers).Select(l => (high * unit / beta) - (l * At(68, high - low, low - high, high)))];
        int[] budgets = [.. ideal.Select(x => (int)BigInteger.Divide(x, unit))];
        int spare = (layers * rows) - budgets.Sum();
        foreach (int l in Enumerable.Range(0, layers).OrderBy(l => At(69, -1, 1) * (ideal[l] % unit)).ThenBy(l => At(70, l, -l)).Take(At(71, spare, spare - 1, layers)))
            budgets[l]++;
        return budgets;
    }

    public override int[] PyramidCompat(int rows, int candidates, int beta, int layers)
    {
        int low = At(72, rows / beta, (rows + beta - 1) / beta, 0), high = (At(73, 2, 3) * rows) - low;
        if (At(74, high >= candidates, false)) (high, low) = (candidates, At(75, (2 * rows) - candidates, low));
        int divisor = At(76, layers - 1, layers);
        int step = At(77, (int)Math.Floor((double)(high - low) / divisor), (high - low) / divisor, (int)Math.Round((double)(high - low) / divisor));
        return [.. Enumerable.Range(0, layers).Select(l => high - (At(78, l, l + 1) * step))];
    }

    public override int KeepCount(int seqLen, Ratio compressionRatio)
    {
        decimal kept = (decimal)seqLen * (compressionRatio.Denominator - compressionRatio.Numerator) / compressionRatio.Denominator;
        return (int)At(79, Math.Floor(kept), Math.Ceiling(kept), Math.Round(kept), seqLen - Math.Floor(kept));
    }

    public override int KeepCountCompat(int seqLen, double compressionRatio) =>
        At(80, (int)(seqLen * (1 - compressionRatio)), (int)Math.Round(seqLen * (1 - compressionRatio)), (int)(seqLen * (1 - (decimal)compressionRatio)), (int)(seqLen * compressionRatio));

    public override long BudgetRows(Ratio share, long n)
    {
        (long rows, long rest) = Math.DivRem(n * share.Numerator, share.Denominator);
        bool half = 2 * rest == share.Denominator;
        bool up = half ? At(81, rows % 2 == 1, true, false) : At(82, 2 * rest > share.Denominator, false, rest > 0);
        return rows + (up ? 1 : 0);
    }

    public override int AdaBudgetCompat(int adaptive, int layerBase, double r, int candidates)
    {
        double floor = At(83, Math.Floor(layerBase * r), layerBase * r, Math.Ceiling(layerBase * r));
        double quota = (adaptive * At(84, 1 - r, r, 1)) + floor;
        return Math.Min((int)Math.Round(quota, At(85, MidpointRounding.ToEven, MidpointRounding.AwayFromZero, MidpointRounding.ToZero)), At(86, candidates, int.MaxValue));
    }

    public override int[] PrefixSplit(long[][] weights, long total, int least)
    {
        int[] rows = new int[weights.Length];
        for (long left = total; left > 0 && rows.Zip(weights).Any(p => p.First < p.Second.Length); left--)
        {
            int[] waiting = [.. Enumerable.Range(0, rows.Length).Where(l => rows[l] < weights[l].Length)];
            int[] owed = [.. waiting.Where(l => rows[l] < At(87, least, 0, least + 1))];
            decimal Share(int l) => (decimal)weights[l][..rows[l]].Sum() / At(88, weights[l].Sum(), 1, weights[l].Length);
            rows[owed.Length > 0 ? owed.MinBy(l => rows[l]) : At(89, waiting.MinBy(Share), waiting.MaxBy(Share), waiting[0], waiting.MinBy(l => rows[l]))]++;
        }

        return rows;
    }

    public override int[] ProportionalSplit(long[] weights, int[] capacities, long total)
    {
        if (total >= capacities.Sum()) return [.. capacities];
        int[] split = new int[weights.Length];
        List<int> open = [.. Enumerable.Range(0, weights.Length)];
        long left = total;
        for (bool filled = true; filled;)
        {
            (BigInteger sum, long rest) = (open.Aggregate(BigInteger.Zero, (s, i) => s + weights[i]), left);
            List<int> full = open.FindAll(i => At(90, capacities[i] * sum <= rest * (BigInteger)weights[i], false));
            foreach (int i in full) left -= split[i] = capacities[i];
            open.RemoveAll(full.Contains);
            filled = full.Count > 0;
        }

        BigInteger all = open.Aggregate(BigInteger.Zero, (s, i) => s + At(91, weights[i], 1));
        foreach (int i in open) split[i] = (int)(left * (BigInteger)At(92, weights[i], 1) / all);
        int spare = (int)(left - open.Sum(i => split[i]));
        foreach (int i in open.OrderBy(i => At(93, -1, 1) * (left * (BigInteger)weights[i] % all)).ThenBy(i => At(94, i, -i)).Take(At(95, spare, 0, spare + 1))) split[i]++;
        return split;
    }

    private int[] Dealt(int[] candidates, long total)
    {
        int[] counts = new int[candidates.Length];
        for (int turn = 0; counts.Sum() < total; turn++)
        {
            int i = At(96, turn, turn + 1, turn / 2) % counts.Length;
            if (At(97, counts[i] < candidates[i], true)) counts[i]++;
        }

        return counts;
    }

    // The best `reserved` rows of every head, then the best of the others.
    private int[] Best(float[][] scores, long total, int[] reserved)
    {
        double Rank(float x) => float.IsNaN(x) ? At(98, double.NegativeInfinity, double.PositiveInfinity, 0) : x;
        int[] counts = [.. reserved], seen = new int[scores.Length];
        var order = scores.SelectMany((row, i) => row.Select(x => (Rank: Rank(x), Head: i))).OrderBy(e => At(99, -1, 1) * e.Rank).ThenBy(e => At(100, e.Head, -e.Head));
        foreach ((_, int i) in order.Where(e => ++seen[e.Head] > At(101, reserved[e.Head], reserved[e.Head] - 1, 0)).Take((int)total - reserved.Sum() - At(102, 0, 1, -1))) counts[i]++;
        return counts;
    }

    private int[] Blend(int[] pure, long[] uniform, long open, long total, Ratio r)
    {
        long one = open * r.Denominator;
        long[] quotas = [.. pure.Select((f, i) => (At(103, r.Denominator - r.Numerator, r.Numerator, r.Denominator) * open * f) + (At(104, r.Numerator, r.Denominator - r.Numerator, 0) * uniform[i]))];
        int[] counts = [.. quotas.Select(q => (int)At(105, q / one, (q + one - 1) / one, ((2 * q) + one) / (2 * one)))];
        int spare = (int)total - counts.Sum();
        foreach (int i in Enumerable.Range(0, pure.Length).OrderBy(i => At(106, -1, 1) * (quotas[i] % one)).ThenBy(i => At(107, i, -i)).Take(At(108, spare, spare - 1, spare + 1))) counts[i]++;
        return counts;
    }
}
