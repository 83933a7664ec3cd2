using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Threading;

namespace KvIL.Reference.Kernels;

/// <summary>Copies the kept rows of one sequence, and all rows of the others, run after run into a fresh store.</summary>
internal sealed unsafe class CompactStep(CompactOp op) : Step
{
    public override void Run(Frame f)
    {
        HostStore from = f.Store(op.Store);
        HostStore to = f.Store(op.Next);
        int* counts = f.I32(op.Counts);
        int firstRun = f.Value(op.Sequence) * from.StoreSpec.NumKvHeads;
        if (ReferenceEquals(from, to))
        {
            throw new ArgumentException($"{op.Next.Name}: a store cannot be compacted into itself; bind a fresh one.");
        }

        LayOut(from, to, counts, firstRun, f.Value(op.Slack));
        f.Workers.Run(new Runs(from, to, f.I32(op.Rows), counts, firstRun), from.StoreSpec.Runs);
    }

    private static void LayOut(HostStore from, HostStore to, int* counts, int firstRun, int slack)
    {
        long next = 0;
        for (int run = 0; run < from.StoreSpec.Runs; run++)
        {
            int head = run - firstRun;
            bool evicted = head >= 0 && head < from.StoreSpec.NumKvHeads;
            to.Start[run] = next;
            to.Length[run] = evicted ? counts[head] : from.Length[run];
            to.Capacity[run] = evicted ? counts[head] + slack : from.Capacity[run];
            next += to.Capacity[run];
        }

        if (next > to.StoreSpec.Rows)
        {
            throw new ArgumentException($"The fresh store has {to.StoreSpec.Rows} rows, the kept ones and their slack need {next}.");
        }
    }

    // One item: a run.
    private readonly struct Runs(HostStore from, HostStore to, int* rows, int* counts, int firstRun) : IJob
    {
        public void Run(int index, int worker)
        {
            int head = index - firstRun;
            if (head < 0 || head >= from.StoreSpec.NumKvHeads)
            {
                Copy(index, 0, 0, from.Length[index]);
                return;
            }

            int* kept = rows;
            for (int h = 0; h < head; h++)
            {
                kept += counts[h];
            }

            // Neighbouring rows are copied at once: sinks, windows and pooled peaks come in stretches.
            for (int i = 0; i < counts[head];)
            {
                int end = i + 1;
                while (end < counts[head] && kept[end] == kept[end - 1] + 1)
                {
                    end++;
                }

                Copy(index, kept[i], i, end - i);
                i = end;
            }
        }

        private void Copy(int run, int source, int target, long count)
        {
            long fromRow = from.Start[run] + source;
            long toRow = to.Start[run] + target;
            long bytes = count * from.VectorBytes;
            Buffer.MemoryCopy(from.Key(fromRow), to.Key(toRow), bytes, bytes);
            Buffer.MemoryCopy(from.Value(fromRow), to.Value(toRow), bytes, bytes);
            Buffer.MemoryCopy(from.Position + fromRow, to.Position + toRow, count * sizeof(int), count * sizeof(int));
        }
    }
}
