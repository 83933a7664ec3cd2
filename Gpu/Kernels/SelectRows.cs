using ILGPU;
using KvIL.Eviction;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments of <see cref="SelectRows"/>.</summary>
internal struct SelectRowsArgs
{
    public ArrayView<int> Block;
    public RunTable Runs;

    /// <summary>F32 [heads, length].</summary>
    public ArrayView<float> Scores;

    /// <summary>I32 [heads].</summary>
    public ArrayView<int> Counts;

    /// <summary>I32 [total], out.</summary>
    public ArrayView<int> Y;

    public BoundInt Sequence;
    public BoundInt Sinks;
    public BoundInt Window;
    public BoundInt Length;
}

/// <summary><c>rows = [0, begin) ∪ the keep best of [begin, begin + count) ∪ [begin + count, held)</c>, ascending, for each head.</summary>
/// <remarks>
/// One group owns a head. The lowest key kept comes from four passes of a radix histogram; then each thread owns a contiguous
/// part of the candidates, so that a sum over lower threads is where its rows begin, and how many ties stand before it.
/// </remarks>
internal readonly struct SelectRows : IKernelBody<SelectRowsArgs>
{
    public static void Run(SelectRowsArgs a)
    {
        ArrayView<int> bins = SharedMemory.Allocate<int>(ScoreOrder.Bins);
        ArrayView<int> state = SharedMemory.Allocate<int>(2);
        ArrayView<int> above = SharedMemory.Allocate<int>(Team.MaxThreads);
        ArrayView<int> equal = SharedMemory.Allocate<int>(Team.MaxThreads);
        int length = a.Length.In(a.Block);
        for (int head = Grid.IdxX; head < a.Runs.Heads; head += Grid.DimX)
        {
            int held = a.Runs.Lengths[(a.Sequence.In(a.Block) * a.Runs.Heads) + head];
            int begin = ProtectedRows.Sinks(held, a.Sinks.In(a.Block), a.Window.In(a.Block));
            int count = ProtectedRows.Candidates(held, a.Sinks.In(a.Block), a.Window.In(a.Block));
            long firstRow = 0;
            for (int h = 0; h < head; h++) firstRow += a.Counts[h];
            ArrayView<int> rows = a.Y.Part(firstRow, a.Counts[head]);
            ArrayView<float> scores = a.Scores.Part(((long)head * length) + begin, count);
            int keep = a.Counts[head] - (held - count);

            FindThreshold(scores, count, keep, bins, state);
            uint threshold = (uint)state[0];
            CountPart(scores, count, threshold, above, equal);
            Group.Barrier();
            WritePart(scores, count, begin, threshold, state[1], above, equal, rows);
            for (int row = Team.Thread; row < begin; row += Team.Threads) rows[row] = row;
            for (int row = begin + count + Team.Thread; row < held; row += Team.Threads) rows[row - count + keep] = row;
            Group.Barrier();
        }
    }

    // state = { the lowest key kept, how many of the rows that have it }. Ends with a barrier.
    private static void FindThreshold(ArrayView<float> scores, int count, int keep, ArrayView<int> bins, ArrayView<int> state)
    {
        if (Team.Thread == 0)
        {
            state[0] = 0;
            state[1] = keep;
        }

        for (int shift = 32 - ScoreOrder.DigitBits; shift >= 0; shift -= ScoreOrder.DigitBits)
        {
            for (int i = Team.Thread; i < ScoreOrder.Bins; i += Team.Threads) bins[i] = 0;
            Group.Barrier();
            uint threshold = (uint)state[0];
            for (int j = Team.Thread; j < count; j += Team.Threads)
            {
                uint key = ScoreOrder.Key(scores[j]);
                if (ScoreOrder.MatchesAbove(key, threshold, shift)) Atomic.Add(ref bins[ScoreOrder.Digit(key, shift)], 1);
            }

            Group.Barrier();
            if (Team.Thread == 0)
            {
                int left = state[1];
                int digit = ScoreOrder.Bins - 1;
                while (digit > 0 && bins[digit] < left)
                {
                    left -= bins[digit];
                    digit--;
                }

                state[0] = (int)(threshold | ((uint)digit << shift));
                state[1] = left;
            }

            Group.Barrier();
        }
    }

    private static int PartBegin(int count, int thread)
    {
        int part = (count + Team.Threads - 1) / Team.Threads;
        return IntrinsicMath.Min(thread * part, count);
    }

    private static void CountPart(
        ArrayView<float> scores, int count, uint threshold, ArrayView<int> above, ArrayView<int> equal)
    {
        int larger = 0;
        int same = 0;
        for (int j = PartBegin(count, Team.Thread); j < PartBegin(count, Team.Thread + 1); j++)
        {
            uint key = ScoreOrder.Key(scores[j]);
            larger += key > threshold ? 1 : 0;
            same += key == threshold ? 1 : 0;
        }

        above[Team.Thread] = larger;
        equal[Team.Thread] = same;
    }

    private static void WritePart(
        ArrayView<float> scores, int count, int begin, uint threshold, int ties, ArrayView<int> above, ArrayView<int> equal, ArrayView<int> rows)
    {
        int aboveBefore = 0;
        int equalBefore = 0;
        for (int thread = 0; thread < Team.Thread; thread++)
        {
            aboveBefore += above[thread];
            equalBefore += equal[thread];
        }

        int at = begin + aboveBefore + IntrinsicMath.Min(equalBefore, ties);
        for (int j = PartBegin(count, Team.Thread); j < PartBegin(count, Team.Thread + 1); j++)
        {
            uint key = ScoreOrder.Key(scores[j]);
            bool tie = key == threshold;
            if (key > threshold || (tie && equalBefore < ties))
            {
                rows[at] = begin + j;
                at++;
            }

            equalBefore += tie ? 1 : 0;
        }
    }
}
