using ILGPU;
using KvIL.Eviction;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments of the kernels that split a store's rows over its heads, and what they hand on to each other.</summary>
internal struct AllocateHeadsArgs
{
    public ArrayView<int> Block;
    public RunTable Runs;

    /// <summary>F32 [heads, length].</summary>
    public ArrayView<float> Scores;

    /// <summary>I32 [heads], out.</summary>
    public ArrayView<int> Counts;

    /// <summary>The numbers named in <see cref="Shared"/>.</summary>
    public ArrayView<long> Totals;

    /// <summary>Remainders of a blend, [heads].</summary>
    public ArrayView<long> Remainders;

    /// <summary>Rows promised to each head.</summary>
    public ArrayView<int> Reserved;

    /// <summary>Rows of each head above the threshold.</summary>
    public ArrayView<int> Above;

    /// <summary>Rows of each head at the threshold.</summary>
    public ArrayView<int> Equal;

    /// <summary>[heads, <see cref="ScoreOrder.Bins"/>].</summary>
    public ArrayView<int> Histogram;

    public BoundInt Sequence;
    public BoundInt Total;
    public BoundInt Sinks;
    public BoundInt Window;
    public BoundInt Length;

    /// <summary>The rule, a <see cref="HeadAllocation"/>.</summary>
    public int Rule;

    /// <summary>Lowest bit of the digit counted.</summary>
    public int Shift;

    /// <summary>The floor share as a fraction.</summary>
    public long ShareNumerator;
    public long ShareDenominator;

    /// <summary>Rows that a head holds.</summary>
    public readonly int Held(int head) => Runs.Lengths[(Sequence.In(Block) * Runs.Heads) + head];

    /// <summary>First row of a head that competes.</summary>
    public readonly int Begin(int head) => ProtectedRows.Sinks(Held(head), Sinks.In(Block), Window.In(Block));

    /// <summary>Rows of a head that compete.</summary>
    public readonly int Candidates(int head) => ProtectedRows.Candidates(Held(head), Sinks.In(Block), Window.In(Block));

    /// <summary>Numerator of a head's ideal uniform share, over <see cref="Shared.Open"/>.</summary>
    public readonly long UniformNumerator(int head) => HeadShares.UniformNumerator(
        Candidates(head), Totals[Shared.Level], Totals[Shared.Open], Totals[Shared.OpenRows]);

    /// <summary>A head's uniform share in whole rows, after <paramref name="openBefore"/> lower heads that share the spare rows with it.</summary>
    public readonly long UniformShare(int head, int openBefore) => HeadShares.UniformShare(
        Candidates(head), Totals[Shared.Level], Totals[Shared.OpenRows] - (Totals[Shared.Open] * Totals[Shared.Level]), openBefore);

    /// <summary>Whether every candidate fits the total, so that nothing is to be decided.</summary>
    public readonly bool KeepsAll => Totals[Shared.Candidates] <= Totals[Shared.Total];
}

/// <summary>What the kernels of AllocateHeads hand on in <see cref="AllocateHeadsArgs.Totals"/>.</summary>
internal static class Shared
{
    /// <summary>Candidates to keep over all heads.</summary>
    public const int Total = 0;

    /// <summary>Candidates of all heads.</summary>
    public const int Candidates = 1;

    /// <summary>The common level of <see cref="HeadShares"/>.</summary>
    public const int Level = 2;

    /// <summary>Heads with more candidates than the level.</summary>
    public const int Open = 3;

    /// <summary>Rows that these share.</summary>
    public const int OpenRows = 4;

    /// <summary>Digits of the threshold found so far.</summary>
    public const int Threshold = 5;

    /// <summary>Numbers handed on.</summary>
    public const int Count = 6;
}

/// <summary>First of four: totals, the common level, and what a floor or mask reserves; clears the histogram.</summary>
/// <remarks>One group. The level's bisection is 31 sums over the heads, on one thread.</remarks>
internal readonly struct AllocateHeadsBegin : IKernelBody<AllocateHeadsArgs>
{
    public static void Run(AllocateHeadsArgs a)
    {
        if (Team.Thread == 0) FindLevel(a);
        for (int i = Team.Thread; i < a.Runs.Heads * ScoreOrder.Bins; i += Team.Threads) a.Histogram[i] = 0;
        Group.Barrier();
        for (int h = Team.Thread; h < a.Runs.Heads; h += Team.Threads)
        {
            a.Above[h] = 0;
            a.Reserved[h] = a.KeepsAll ? 0 : Reserved(a, h);
        }
    }

    private static int Reserved(AllocateHeadsArgs a, int head)
    {
        long open = a.Totals[Shared.Open];
        if (a.Rule == (int)HeadAllocation.Floor)
        {
            return (int)HeadShares.FloorRows(a.UniformNumerator(head), open, a.ShareNumerator, a.ShareDenominator);
        }

        if (a.Rule != (int)HeadAllocation.Mask) return 0;
        int openBefore = 0;
        for (int h = 0; h < head; h++) openBefore += a.Candidates(h) > a.Totals[Shared.Level] ? 1 : 0;
        return (int)HeadShares.MaskRows(
            a.UniformNumerator(head), open, a.ShareNumerator, a.ShareDenominator, a.Held(head) - a.Candidates(head), a.UniformShare(head, openBefore));
    }

    private static void FindLevel(AllocateHeadsArgs a)
    {
        long total = a.Total.In(a.Block);
        long candidates = 0;
        for (int h = 0; h < a.Runs.Heads; h++)
        {
            total -= a.Held(h) - a.Candidates(h);
            candidates += a.Candidates(h);
        }

        total = IntrinsicMath.Max(total, 0L);
        long fits = 0;
        long tooHigh = int.MaxValue;
        while (tooHigh - fits > 1)
        {
            long middle = (fits + tooHigh) / 2;
            long filled = 0;
            for (int h = 0; h < a.Runs.Heads; h++) filled += HeadShares.Filled(a.Candidates(h), middle);
            bool enough = filled <= total;
            fits = enough ? middle : fits;
            tooHigh = enough ? tooHigh : middle;
        }

        long open = 0;
        long openRows = total;
        for (int h = 0; h < a.Runs.Heads; h++)
        {
            bool isOpen = a.Candidates(h) > fits;
            open += isOpen ? 1 : 0;
            openRows -= isOpen ? 0 : a.Candidates(h);
        }

        a.Totals[Shared.Total] = total;
        a.Totals[Shared.Candidates] = candidates;
        a.Totals[Shared.Level] = fits;
        a.Totals[Shared.Open] = open;
        a.Totals[Shared.OpenRows] = openRows;
        a.Totals[Shared.Threshold] = 0;
    }
}

/// <summary>Second: counts, for each head, the candidates by one digit of their keys, among those that agree with the threshold so far.</summary>
/// <remarks>One group owns some candidates of one head and counts them in shared memory. Integer atomics: any order gives the same counts.</remarks>
internal readonly struct AllocateHeadsCount : IKernelBody<AllocateHeadsArgs>
{
    public static void Run(AllocateHeadsArgs a)
    {
        ArrayView<int> bins = SharedMemory.Allocate<int>(ScoreOrder.Bins);
        int length = a.Length.In(a.Block);
        int chunks = (length + Rows.Chunk - 1) / Rows.Chunk;
        uint threshold = (uint)a.Totals[Shared.Threshold];
        for (int item = Grid.IdxX; item < a.Runs.Heads * chunks; item += Grid.DimX)
        {
            int head = item / chunks;
            int first = (item - (head * chunks)) * Rows.Chunk;
            int count = a.Candidates(head);
            ArrayView<float> scores = a.Scores.Part(((long)head * length) + a.Begin(head), count);
            for (int i = Team.Thread; i < ScoreOrder.Bins; i += Team.Threads) bins[i] = 0;
            Group.Barrier();
            for (int j = first + Team.Thread; j < count && j < first + Rows.Chunk; j += Team.Threads)
            {
                uint key = ScoreOrder.Key(scores[j]);
                if (ScoreOrder.MatchesAbove(key, threshold, a.Shift)) Atomic.Add(ref bins[ScoreOrder.Digit(key, a.Shift)], 1);
            }

            Group.Barrier();
            for (int i = Team.Thread; i < ScoreOrder.Bins; i += Team.Threads)
            {
                if (bins[i] > 0) Atomic.Add(ref a.Histogram[(head * ScoreOrder.Bins) + i], bins[i]);
            }

            Group.Barrier();
        }
    }
}

/// <summary>Third: the largest digit with which the rows claimed reach the total; clears the histogram for the next one.</summary>
/// <remarks>
/// One group. With g_h(κ) = #{j : Key(score[h, j]) ≥ κ}: <c>τ = the largest key with Σ_h max(reserved_h, g_h(τ)) ≥ total</c>,
/// digit by digit from the top. A thread sums a head's bins from the top, then another adds up what the heads claim at a digit.
/// </remarks>
internal readonly struct AllocateHeadsPick : IKernelBody<AllocateHeadsArgs>
{
    public static void Run(AllocateHeadsArgs a)
    {
        ArrayView<int> enough = SharedMemory.Allocate<int>(ScoreOrder.Bins);
        int heads = a.Runs.Heads;
        for (int h = Team.Thread; h < heads; h += Team.Threads)
        {
            ArrayView<int> bins = a.Histogram.SubView(h * ScoreOrder.Bins, ScoreOrder.Bins);
            for (int digit = ScoreOrder.Bins - 2; digit >= 0; digit--) bins[digit] += bins[digit + 1];
        }

        Group.Barrier();
        for (int digit = Team.Thread; digit < ScoreOrder.Bins; digit += Team.Threads)
        {
            long claimed = 0;
            for (int h = 0; h < heads; h++)
            {
                claimed += HeadShares.Claimed(a.Reserved[h], a.Above[h] + a.Histogram[(h * ScoreOrder.Bins) + digit]);
            }

            enough[digit] = claimed >= a.Totals[Shared.Total] ? 1 : 0;
        }

        Group.Barrier();
        int chosen = ScoreOrder.Bins - 1;
        while (chosen > 0 && enough[chosen] == 0) chosen--;
        for (int h = Team.Thread; h < heads; h += Team.Threads)
        {
            ArrayView<int> bins = a.Histogram.SubView(h * ScoreOrder.Bins, ScoreOrder.Bins);
            int larger = chosen < ScoreOrder.Bins - 1 ? bins[chosen + 1] : 0;
            a.Above[h] += larger;
            a.Equal[h] = bins[chosen] - larger;
            for (int digit = 0; digit < ScoreOrder.Bins; digit++) bins[digit] = 0;
        }

        if (Team.Thread == 0) a.Totals[Shared.Threshold] |= (long)chosen << a.Shift;
    }
}

/// <summary>Last: each head's rows by the rule, protected rows included.</summary>
/// <remarks>One group. What depends on lower heads runs on one thread; the ranks of a blend's remainders on all.</remarks>
internal readonly struct AllocateHeadsEnd : IKernelBody<AllocateHeadsArgs>
{
    public static void Run(AllocateHeadsArgs a)
    {
        if (Team.Thread == 0)
        {
            if (a.Rule == (int)HeadAllocation.Uniform) Uniform(a);
            else Adaptive(a);
        }

        Group.Barrier();
        if (a.Rule == (int)HeadAllocation.Blend && !a.KeepsAll) Blend(a);
        for (int h = Team.Thread; h < a.Runs.Heads; h += Team.Threads)
        {
            int kept = a.KeepsAll ? a.Candidates(h) : a.Counts[h];
            a.Counts[h] = kept + a.Held(h) - a.Candidates(h);
        }
    }

    private static void Uniform(AllocateHeadsArgs a)
    {
        int openBefore = 0;
        for (int h = 0; h < a.Runs.Heads; h++)
        {
            a.Counts[h] = (int)a.UniformShare(h, openBefore);
            openBefore += a.Candidates(h) > a.Totals[Shared.Level] ? 1 : 0;
        }
    }

    private static void Adaptive(AllocateHeadsArgs a)
    {
        long remaining = a.Totals[Shared.Total];
        for (int h = 0; h < a.Runs.Heads; h++) remaining -= HeadShares.Claimed(a.Reserved[h], a.Above[h]);
        for (int h = 0; h < a.Runs.Heads; h++)
        {
            long share = HeadShares.TieShare(a.Reserved[h], a.Above[h], a.Equal[h], remaining);
            a.Counts[h] = (int)(HeadShares.Claimed(a.Reserved[h], a.Above[h]) + share);
            remaining -= share;
        }
    }

    // quota_h = (1 − r)·f_h + r·u_h, rounded by largest remainder; Counts holds f on entry.
    private static void Blend(AllocateHeadsArgs a)
    {
        int heads = a.Runs.Heads;
        long denominator = a.Totals[Shared.Open] * a.ShareDenominator;
        for (int h = Team.Thread; h < heads; h += Team.Threads)
        {
            long numerator = HeadShares.BlendNumerator(
                a.Counts[h], a.UniformNumerator(h), a.Totals[Shared.Open], a.ShareNumerator, a.ShareDenominator);
            long rows = numerator / denominator;
            a.Counts[h] = (int)rows;
            a.Remainders[h] = numerator - (rows * denominator);
        }

        Group.Barrier();
        long spare = a.Totals[Shared.Total];
        for (int h = 0; h < heads; h++) spare -= a.Counts[h];
        Group.Barrier();
        for (int h = Team.Thread; h < heads; h += Team.Threads)
        {
            int before = 0;
            for (int other = 0; other < heads; other++)
            {
                before += HeadShares.RemainderComesFirst(a.Remainders[other], other, a.Remainders[h], h) ? 1 : 0;
            }

            a.Counts[h] += before < spare ? 1 : 0;
        }
    }
}
