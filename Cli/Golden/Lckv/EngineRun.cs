using KvIL.Backends;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Cli.Golden.Lckv;

/// <summary>An engine with a cache that takes whole prompts, with rows cached in float32.</summary>
internal sealed class EngineRun : IDisposable
{
    private readonly Engine _engine;
    private KvCache _cache;

    public EngineRun(Model model, PrefillStrategy prefill, int tokens)
    {
        _engine = new(model, new() { MaxTokens = tokens, BeyondContext = true, Chunk = tokens, MaxLogitRows = tokens, RowType = DType.F32, Prefill = prefill });
        _cache = _engine.CreateCache();
        Prefill = prefill;
    }

    /// <summary>How prompts go through cyclic slices.</summary>
    public PrefillStrategy Prefill { get; }

    public void Dispose()
    {
        _cache.Dispose();
        _engine.Dispose();
    }

    /// <summary>Logits of every token of a prompt in an empty cache.</summary>
    public double[][] Prompt(int[] ids)
    {
        _cache.Dispose();
        _cache = _engine.CreateCache();
        _engine.Forward(_cache, new int[ids.Length], ids, [.. Enumerable.Range(0, ids.Length)]);
        return [.. ids.Select((_, row) => Row(row))];
    }

    /// <summary>Logits after one more token.</summary>
    public double[] Next(int id)
    {
        _engine.Forward(_cache, [0], [id], [0]);
        return Row(0);
    }

    /// <summary>Keys or values of a store, a row a token: head by head.</summary>
    public double[][] Rows(int store, bool keys) => Rows(_engine, _cache, store, keys);

    /// <summary>The same of any cache that has not been cut.</summary>
    internal static double[][] Rows(Engine engine, KvCache cache, int store, bool keys)
    {
        IStore held = cache.Store(store);
        StoreSpec spec = (StoreSpec)held.Spec;
        using IQueue queue = engine.Model.Backend.CreateQueue();
        long[] starts = new long[spec.Runs];
        float[] values = new float[checked((int)(spec.Rows * spec.HeadDim))];
        queue.Download<long>(held.Starts, starts);
        queue.Download<float>(keys ? held.Keys : held.Values, values);
        queue.Synchronize();
        return [.. Enumerable.Range(0, cache.Tokens(0)).Select(token => Enumerable.Range(0, spec.NumKvHeads)
            .SelectMany(head => values.AsSpan((int)(starts[head] + token) * spec.HeadDim, spec.HeadDim).ToArray().Select(v => (double)v)).ToArray())];
    }

    private double[] Row(int row)
    {
        ReadOnlySpan<float> logits = _engine.Logits(row);
        double[] wide = new double[logits.Length];
        for (int i = 0; i < wide.Length; i++) wide[i] = logits[i];
        return wide;
    }
}
