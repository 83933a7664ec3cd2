using System.Runtime.InteropServices;
using KvIL.Inference.Runtime;
using KvIL.Tensors;

namespace KvIL.Tests.Engines;

/// <summary>One run of a store, downloaded.</summary>
internal sealed record RunRows(int[] Positions, byte[] Keys, byte[] Values, int Capacity, long Start)
{
    public int Length => Positions.Length;

    public ReadOnlySpan<float> Key(int row, int headDim) => MemoryMarshal.Cast<byte, float>(Keys).Slice(row * headDim, headDim);

    public ReadOnlySpan<float> Value(int row, int headDim) => MemoryMarshal.Cast<byte, float>(Values).Slice(row * headDim, headDim);

    /// <summary>Keys or values of either row type as float32, exactly.</summary>
    public float[] Widened(byte[] rows, int headDim) => rows.Length == Length * headDim * sizeof(float)
        ? MemoryMarshal.Cast<byte, float>(rows).ToArray()
        : Array.ConvertAll(MemoryMarshal.Cast<byte, Half>(rows).ToArray(), x => (float)x);

    /// <summary>Whether both hold the same bits; where they lie in the pool does not matter.</summary>
    public bool SameBits(RunRows other) => Positions.AsSpan().SequenceEqual(other.Positions)
        && Keys.AsSpan().SequenceEqual(other.Keys) && Values.AsSpan().SequenceEqual(other.Values);
}

/// <summary>Reads what a cache holds.</summary>
internal static class CacheRows
{
    /// <summary>The runs of a sequence in a store, by KV head; none where the store was never allocated.</summary>
    public static RunRows[] Of(Engine engine, KvCache cache, int store, int sequence)
    {
        if (!cache.IsAllocated(store)) return [];
        KvIL.Backends.IStore held = cache.Store(store);
        StoreSpec spec = (StoreSpec)held.Spec;
        int rowBytes = (int)spec.RowType.SizeBytes(spec.HeadDim);
        int[] positions = Download<int>(engine, held.Positions, (int)spec.Rows);
        byte[] keys = Bytes(engine, held.Keys, spec), values = Bytes(engine, held.Values, spec);
        long[] starts = Download<long>(engine, held.Starts, spec.Runs);
        int[] lengths = Download<int>(engine, held.Lengths, spec.Runs), capacities = Download<int>(engine, held.Capacities, spec.Runs);
        return [.. Enumerable.Range(sequence * spec.NumKvHeads, spec.NumKvHeads).Select(run =>
        {
            (int first, int count) = ((int)starts[run], lengths[run]);
            return new RunRows(
                positions[first..(first + count)],
                keys[(first * rowBytes)..((first + count) * rowBytes)],
                values[(first * rowBytes)..((first + count) * rowBytes)],
                capacities[run],
                starts[run]);
        })];
    }

    /// <summary>The runs of a sequence in every store.</summary>
    public static RunRows[][] Of(Engine engine, KvCache cache, int sequence) =>
        [.. Enumerable.Range(0, engine.Model.Transformer.Map.NumStores).Select(store => Of(engine, cache, store, sequence))];

    public static T[] Download<T>(Engine engine, KvIL.Backends.IBuffer buffer, int count) where T : unmanaged
    {
        T[] result = new T[count];
        engine.Queue.Download<T>(buffer, result);
        engine.Queue.Synchronize();
        return result;
    }

    private static byte[] Bytes(Engine engine, KvIL.Backends.IBuffer buffer, StoreSpec spec)
    {
        int count = checked((int)(spec.Rows * spec.HeadDim));
        return spec.RowType == DType.F16
            ? MemoryMarshal.AsBytes<Half>(Download<Half>(engine, buffer, count)).ToArray()
            : MemoryMarshal.AsBytes<float>(Download<float>(engine, buffer, count)).ToArray();
    }
}
