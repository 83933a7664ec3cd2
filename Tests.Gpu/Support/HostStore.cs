using KvIL.Backends;
using KvIL.Tensors;

namespace KvIL.Tests.Gpu.Support;

/// <summary>A store in host memory, keys and values as float32 that the row type holds exactly.</summary>
internal sealed record HostStore(StoreSpec Spec, float[] Keys, float[] Values, int[] Positions, long[] Starts, int[] Lengths, int[] Capacities)
{
    /// <summary>A ragged store with random keys and values, ascending positions with gaps, unused rows before and between the runs.</summary>
    public static HostStore Random(Random random, DType rowType, int sequences, int kvHeads, int headDim, int[] lengths, int slack)
    {
        int runs = sequences * kvHeads;
        long[] starts = new long[runs];
        int[] capacities = new int[runs];
        long next = 3;
        for (int r = 0; r < runs; r++)
        {
            (starts[r], capacities[r]) = (next, lengths[r] + slack);
            next += capacities[r] + (r % 2);
        }

        int[] positions = new int[next];
        for (int r = 0; r < runs; r++)
        {
            int position = random.Next(2);
            for (int j = 0; j < lengths[r]; j++, position += 1 + random.Next(2)) positions[starts[r] + j] = position;
        }

        StoreSpec spec = new(sequences, kvHeads, headDim, rowType, next);
        return new(spec, Numbers(), Numbers(), positions, starts, lengths, capacities);

        float[] Numbers() => [.. Enumerable.Range(0, checked((int)next * headDim)).Select(_ => Stored(rowType, Draw.Normal(random)))];
    }

    /// <summary>An empty store of that many rows, every run without capacity.</summary>
    public static HostStore Empty(StoreSpec spec) => new(
        spec,
        new float[spec.Rows * spec.HeadDim],
        new float[spec.Rows * spec.HeadDim],
        new int[spec.Rows],
        new long[spec.Runs],
        new int[spec.Runs],
        new int[spec.Runs]);

    /// <summary>One more than the largest position of a sequence.</summary>
    public int Tokens(int sequence) => 1 + Enumerable.Range(sequence * Spec.NumKvHeads, Spec.NumKvHeads)
        .Max(r => Lengths[r] == 0 ? -1 : Positions[Starts[r] + Lengths[r] - 1]);

    /// <summary>Most rows of a run of a sequence.</summary>
    public int Longest(int sequence) => Enumerable.Range(sequence * Spec.NumKvHeads, Spec.NumKvHeads).Max(r => Lengths[r]);

    /// <summary>The key of a row of a run.</summary>
    public ReadOnlySpan<float> Key(int run, int row) => Keys.AsSpan((int)(Starts[run] + row) * Spec.HeadDim, Spec.HeadDim);

    /// <summary>The value of a row of a run.</summary>
    public ReadOnlySpan<float> Value(int run, int row) => Values.AsSpan((int)(Starts[run] + row) * Spec.HeadDim, Spec.HeadDim);

    /// <summary>Copies to a device.</summary>
    public IStore Upload(IBackend backend, IQueue queue)
    {
        IStore store = backend.Allocate(Spec);
        Transfer.Upload(queue, Keys, store.Keys);
        Transfer.Upload(queue, Values, store.Values);
        queue.Upload<int>(Positions, store.Positions);
        queue.Upload<long>(Starts, store.Starts);
        queue.Upload<int>(Lengths, store.Lengths);
        queue.Upload<int>(Capacities, store.Capacities);
        return store;
    }

    /// <summary>Copies from a device.</summary>
    public static HostStore Download(StoreSpec spec, IStore store, IQueue queue)
    {
        HostStore host = Empty(spec);
        queue.Download<int>(store.Positions, host.Positions);
        queue.Download<long>(store.Starts, host.Starts);
        queue.Download<int>(store.Lengths, host.Lengths);
        queue.Download<int>(store.Capacities, host.Capacities);
        return host with { Keys = Transfer.Download(queue, store.Keys), Values = Transfer.Download(queue, store.Values) };
    }

    private static float Stored(DType type, float value) => type == DType.F16 ? (float)(Half)value : value;
}
