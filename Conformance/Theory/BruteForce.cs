using System.Numerics;

namespace KvIL.Conformance.Theory;

/// <summary>Best keep sets by trying all of them: at most 20 rows in all heads together.</summary>
public static class BruteForce
{
    /// <summary>
    /// <c>max Σ kept scores</c> over all sets of <paramref name="total"/> rows whose counts per head are
    /// <paramref name="allowed"/>.
    /// </summary>
    /// <param name="scores"><c>scores[i][j]</c>.</param>
    /// <param name="total">B.</param>
    /// <param name="allowed">Condition on the number of rows kept per head.</param>
    /// <exception cref="ArgumentException">There are more than 20 rows.</exception>
    public static double BestMass(double[][] scores, int total, Func<int[], bool> allowed)
    {
        int rows = scores.Sum(s => s.Length);
        if (rows > 20) throw new ArgumentException($"Expected at most 20 rows, got {rows}.", nameof(scores));
        return Enumerable.Range(0, 1 << rows).Where(set => BitOperations.PopCount((uint)set) == total)
            .Select(set => Kept(scores, set)).Where(k => allowed(k.Counts)).Max(k => k.Mass);
    }

    /// <summary><c>max Σ kept scores</c> over all sets of B rows, for every B from 0 to the number of rows.</summary>
    /// <param name="scores">Scores of the rows of all heads; at most 20.</param>
    /// <exception cref="ArgumentException">There are more than 20 rows.</exception>
    public static double[] BestMasses(double[] scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        if (scores.Length > 20) throw new ArgumentException($"Expected at most 20 rows, got {scores.Length}.", nameof(scores));
        double[] best = [.. Enumerable.Repeat(double.NegativeInfinity, scores.Length + 1)];
        double[] mass = new double[1 << scores.Length]; // of each set: that of the set without its lowest row, and that row
        for (int set = 0; set < mass.Length; set++)
        {
            if (set > 0) mass[set] = mass[set & (set - 1)] + scores[BitOperations.TrailingZeroCount(set)];
            int total = BitOperations.PopCount((uint)set);
            best[total] = Math.Max(best[total], mass[set]);
        }

        return best;
    }

    /// <summary><see cref="BestMass"/> for every total in one pass, with a least number of rows of each head.</summary>
    /// <param name="scores"><c>scores[i][j]</c>.</param>
    /// <param name="least">Rows that every head keeps at least, by the total.</param>
    /// <returns>−∞ where no set is allowed.</returns>
    /// <exception cref="ArgumentException">There are more than 20 rows.</exception>
    public static double[] BestMasses(double[][] scores, Func<int, long> least)
    {
        int rows = scores.Sum(s => s.Length);
        if (rows > 20) throw new ArgumentException($"Expected at most 20 rows, got {rows}.", nameof(scores));
        double[] best = new double[rows + 1];
        Array.Fill(best, double.NegativeInfinity);
        for (int set = 0; set < 1 << rows; set++)
        {
            (int total, int bit, double mass, int fewest) = (BitOperations.PopCount((uint)set), 0, 0, int.MaxValue);
            foreach (double[] head in scores)
            {
                int count = 0;
                foreach (double score in head)
                {
                    if ((set >> bit++ & 1) == 0) continue;
                    mass += score;
                    count++;
                }

                fewest = Math.Min(fewest, count);
            }

            if (fewest >= least(total)) best[total] = Math.Max(best[total], mass);
        }

        return best;
    }

    /// <summary>All ways to write B as a sum of one count per head, none above the head's candidates.</summary>
    public static IEnumerable<int[]> Compositions(int[] candidates, int total)
    {
        if (candidates.Length == 0) return total == 0 ? [[]] : [];
        return Enumerable.Range(0, Math.Min(candidates[0], total) + 1)
            .SelectMany(first => Compositions(candidates[1..], total - first).Select(rest => (int[])[first, .. rest]));
    }

    // Bit i·n + j of the set is row j of head i, rows numbered through all heads.
    private static (double Mass, int[] Counts) Kept(double[][] scores, int set)
    {
        (double mass, int bit) = (0, 0);
        int[] counts = new int[scores.Length];
        for (int i = 0; i < scores.Length; i++)
        {
            foreach (double score in scores[i])
            {
                if ((set >> bit++ & 1) == 0) continue;
                mass += score;
                counts[i]++;
            }
        }

        return (mass, counts);
    }
}
