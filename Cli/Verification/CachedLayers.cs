using System.Runtime.InteropServices;
using KvIL.Backends;
using KvIL.Cli.Measurement;
using KvIL.Conformance.Theory;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Tensors;

namespace KvIL.Cli.Verification;

/// <summary>Brings what an engine has cached of one sequence to the host, as the numbers that it computed with.</summary>
internal sealed class CachedLayers(Model model, int tokens) : IDisposable
{
    private readonly IQueue _queue = model.Backend.CreateQueue();

    /// <summary>A layer of a cache that holds the whole prompt in F32.</summary>
    public AttentionLayer Layer(KvCache cache, int layer)
    {
        (int heads, int kv, int d) = (model.Config.NumQueryHeads, model.Config.NumKvHeadsOf(layer), model.Config.HeadDimOf(layer));
        IStore store = Store(cache, layer);
        long[] starts = Starts(store, kv);
        string projection = Transformer.OutputProjection(layer);
        return new(
            heads, kv, tokens, d, model.Transformer.Rule(layer), Rows(store.Keys, starts, d), Rows(store.Values, starts, d),
            TensorValues.Read(model.Transformer.Tensors[projection]));
    }

    /// <summary>The last queries of a layer, <c>[w][h·d]</c>, the newest last.</summary>
    public double[][] Queries(KvCache cache, int layer, int window)
    {
        int channels = model.Config.QueryWidthOf(layer);
        IBuffer buffer = cache.LastQueries(layer);
        int ring = ((TensorSpec)buffer.Spec).Shape[1].Max;
        float[] queries = Download<float>(buffer, ring * channels);
        return [.. Enumerable.Range(tokens - window, window)
            .Select(position => queries.AsSpan(position % ring * channels, channels).ToArray().Select(x => (double)x).ToArray())];
    }

    /// <summary>Which rows of the prompt each KV head of a layer still has.</summary>
    public int[][] Kept(KvCache cache, int layer)
    {
        IStore store = Store(cache, layer);
        int kv = model.Config.NumKvHeadsOf(layer);
        long[] starts = Starts(store, kv);
        int[] lengths = Download<int>(store.Lengths, kv);
        int[] positions = Download<int>(store.Positions, ((TensorSpec)store.Positions.Spec).Shape[0].Max);
        return [.. starts.Select((start, head) => positions.AsSpan((int)start, lengths[head]).ToArray())];
    }

    public void Dispose() => _queue.Dispose();

    private IStore Store(KvCache cache, int layer) => cache.Store(model.Transformer.Map.Stores[layer]);

    private long[] Starts(IStore store, int runs) => MemoryMarshal.Cast<int, long>(Download<int>(store.Starts, 2 * runs)).ToArray();

    private double[] Rows(IBuffer buffer, long[] starts, int d)
    {
        float[] all = Download<float>(buffer, ((TensorSpec)buffer.Spec).Shape[0].Max * d);
        return [.. starts.SelectMany(start => all.Skip((int)start * d).Take(tokens * d)).Select(x => (double)x)];
    }

    private T[] Download<T>(IBuffer buffer, int count)
        where T : unmanaged
    {
        T[] values = GC.AllocateArray<T>(count, pinned: true);
        _queue.Download<T>(buffer, values);
        _queue.Synchronize();
        return values;
    }
}
