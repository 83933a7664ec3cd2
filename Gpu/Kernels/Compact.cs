using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments of the kernels of a compaction.</summary>
internal struct CompactArgs<T> where T : unmanaged
{
    public ArrayView<int> Block;
    public StoreView<T> From;
    public StoreView<T> To;

    /// <summary>I32 [heads]: rows kept.</summary>
    public ArrayView<int> Counts;

    /// <summary>I32 [total]: which rows.</summary>
    public ArrayView<int> Rows;

    /// <summary>Where a fault is reported.</summary>
    public ArrayView<int> Fault;

    public BoundInt Sequence;
    public BoundInt Slack;
    public int Runs;

    /// <summary>The head of the evicted sequence that owns a run; negative, or not below the number of heads, for other sequences.</summary>
    public readonly int EvictedHead(int run) => run - (Sequence.In(Block) * From.Runs.Heads);

    /// <summary>Whether a run belongs to the evicted sequence.</summary>
    public readonly bool IsEvicted(int run) => EvictedHead(run) >= 0 && EvictedHead(run) < From.Runs.Heads;
}

/// <summary>Lays the runs out one after another: length kept, capacity kept + slack; other sequences as they were.</summary>
/// <remarks>One thread. A fresh pool that is too small gets no row beyond its end and a <see cref="Faults.StoreTooSmall"/>.</remarks>
internal readonly struct CompactLayout<T> : IKernelBody<CompactArgs<T>> where T : unmanaged
{
    public static void Run(CompactArgs<T> a)
    {
        if (Team.Thread != 0 || Grid.IdxX != 0) return;
        long next = 0;
        long pool = a.To.Runs.Positions.Length;
        for (int run = 0; run < a.Runs; run++)
        {
            int length = a.From.Runs.Lengths[run];
            int capacity = a.From.Runs.Capacities[run];
            if (a.IsEvicted(run))
            {
                length = a.Counts[a.EvictedHead(run)];
                capacity = length + a.Slack.In(a.Block);
            }

            if (next + capacity > pool)
            {
                a.Fault[0] = Faults.StoreTooSmall;
                length = 0;
                capacity = 0;
            }

            a.To.Runs.Starts[run] = next;
            a.To.Runs.Lengths[run] = length;
            a.To.Runs.Capacities[run] = capacity;
            next += capacity;
        }
    }
}

/// <summary>Copies the rows: bits and positions as they are, in their order.</summary>
/// <remarks>One group owns every n-th row of a run, a thread every n-th channel.</remarks>
internal readonly struct CompactRows<T> : IKernelBody<CompactArgs<T>> where T : unmanaged
{
    /// <summary>Groups that share a run.</summary>
    public const int GroupsPerRun = 32;

    public static void Run(CompactArgs<T> a)
    {
        for (int item = Grid.IdxX; item < a.Runs * GroupsPerRun; item += Grid.DimX)
        {
            int run = item / GroupsPerRun;
            long kept = 0;
            if (a.IsEvicted(run))
            {
                for (int h = 0; h < a.EvictedHead(run); h++) kept += a.Counts[h];
            }

            for (int i = item - (run * GroupsPerRun); i < a.To.Runs.Lengths[run]; i += GroupsPerRun)
            {
                int row = a.IsEvicted(run) ? a.Rows[kept + i] : i;
                Copy(a, a.From.Runs.Starts[run] + row, a.To.Runs.Starts[run] + i);
            }
        }
    }

    private static void Copy(CompactArgs<T> a, long source, long target)
    {
        ArrayView<T> fromKey = a.From.Key(source);
        ArrayView<T> fromValue = a.From.Value(source);
        ArrayView<T> toKey = a.To.Key(target);
        ArrayView<T> toValue = a.To.Value(target);
        for (int c = Team.Thread; c < a.From.HeadDim; c += Team.Threads)
        {
            toKey[c] = fromKey[c];
            toValue[c] = fromValue[c];
        }

        if (Team.Thread == 0) a.To.Runs.Positions[target] = a.From.Runs.Positions[source];
    }
}
