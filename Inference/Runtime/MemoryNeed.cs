using KvIL.Eviction;
using KvIL.Inference.Models;
using KvIL.Sharing;

namespace KvIL.Inference.Runtime;

/// <summary>Bytes that a run will need, known before anything of the cache is allocated.</summary>
/// <param name="Weights">Weights as stored.</param>
/// <param name="KvPeak">Most bytes of cache held at once.</param>
/// <param name="KvFull">Bytes of a cache that keeps everything, without remembered queries.</param>
/// <param name="Working">Scratch of the largest plan, tokens, logits and figures, and the hidden states of a prompt that goes layer by layer.</param>
public sealed record MemoryNeed(long Weights, long KvPeak, long KvFull, long Working)
{
    /// <summary>All bytes of the run.</summary>
    public long Total => Weights + KvPeak + Working;

    /// <summary>The need of the weights alone, known before they are imported.</summary>
    public static MemoryNeed OfWeights(Transformer transformer)
    {
        ArgumentNullException.ThrowIfNull(transformer);
        return new(transformer.Weights.Values.Sum(weight => weight.SizeBytes), 0, 0, 0);
    }

    /// <summary>The need of one sequence under a policy.</summary>
    /// <param name="engine">The engine, compiled.</param>
    /// <param name="policy">What is kept.</param>
    /// <param name="promptTokens">Tokens of the prompt.</param>
    /// <param name="newTokens">Most tokens after it.</param>
    /// <param name="questionTokens">Tokens in between that are kept whole.</param>
    /// <param name="evictEvery">Tokens of the prompt between evictions; 0 for one at its end.</param>
    public static MemoryNeed Of(Engine engine, EvictionPolicy policy, int promptTokens, int newTokens, int questionTokens = 0, int evictEvery = 0)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(policy);
        int stores = engine.Model.Transformer.Map.NumStores;
        long Bytes(long rowsPerHead) => (engine.StoreSpec with { Rows = rowsPerHead * engine.StoreSpec.NumKvHeads }).SizeBytes;

        long windows = (engine.WindowSpec?.SizeBytes ?? 0) * engine.Model.Config.NumLayers;
        newTokens += questionTokens;
        long full = stores * Bytes((long)promptTokens + newTokens);
        int[] rows = engine.RowsOfStores(policy, promptTokens);
        int[] room = [.. rows.Select(r => Engine.Room(policy, r, promptTokens, newTokens))];
        long[] held = [.. rows.Zip(room, (r, free) => Bytes((long)r + free))];
        long again = held.Where((_, store) => room[store] < newTokens).Append(0).Max(); // a store cut again while decoding: two copies
        long question = questionTokens == 0 ? 0 : (stores * Bytes(questionTokens)) + held.Max(); // and a store enlarged for it: two copies
        long peak = windows + held.Sum() + again + question;
        long scratch = engine.ForwardScratchBytes;
        long buffers = engine.BufferBytes;
        bool evictsPrompt = rows.Min() < promptTokens;
        if (evictsPrompt || again > 0)
        {
            (long eviction, long figures) = engine.EvictionBytes(policy);
            scratch = Math.Max(scratch, eviction);
            buffers += figures;
        }

        bool inParts = evictEvery > 0 && evictEvery < promptTokens;
        if (inParts)
        {
            // Stores of at most the budget (and the window, which is kept whole at first) and free rows; those that are open at once with
            // room for a part beside their cut copies; where stores are compared all of them are.
            int least = Math.Min(policy.Window, promptTokens);
            long[] stored = [.. rows.Zip(room, (r, free) => Bytes((long)Math.Max(r, least) + free))];
            long part = Bytes((long)Math.Max(rows.Max(), least) + Math.Max(evictEvery, policy.Slack));
            peak = Math.Max(peak, windows + stored.Sum() + (part * (policy.ComparesStores ? stores + 1 : MostOpen(engine.Model.Transformer.Map))));
        }
        else if (evictsPrompt)
        {
            peak = Math.Max(peak, windows + (policy.ComparesStores
                ? (stores + 1) * Bytes(promptTokens) // all are full while the first is cut
                : Layerwise(engine.Model.Transformer.Map, [.. rows.Select(r => r < promptTokens)], held, Bytes(promptTokens))));
        }

        if (evictsPrompt)
        {
            (long layerwise, long prompt) = engine.LayerwiseBytes(
                inParts ? evictEvery : promptTokens, policy.NeedsAllQueries && engine.Options.RemembersPrompt);
            scratch = Math.Max(scratch, layerwise);
            buffers += prompt;
        }

        return OfWeights(engine.Model.Transformer) with { KvPeak = peak, KvFull = full, Working = scratch + buffers };
    }

    // Stores between their owner and their last reader at once.
    private static long MostOpen(SharingMap map) => Layerwise(map, [.. Enumerable.Repeat(true, map.NumStores)], new long[map.NumStores], 1);

    // Most bytes while a prompt goes layer by layer: a store is full from its owner to its last reader, and while its cut copy is written.
    private static long Layerwise(SharingMap map, bool[] isCut, long[] held, long full)
    {
        long current = 0, most = 0;
        for (int layer = 0; layer < map.NumLayers; layer++)
        {
            int store = map.Stores[layer];
            current += !map.IsOwner(layer) ? 0 : isCut[store] ? full : held[store];
            most = Math.Max(most, current);
            if (isCut[store] && map.Readers(store)[^1] == layer)
            {
                most = Math.Max(most, current + held[store]);
                current += held[store] - full;
            }
        }

        return most;
    }

    /// <summary>Refuses a need above the limit, or above what the machine has.</summary>
    /// <exception cref="RequestException">It is above.</exception>
    public void Check(long? limit)
    {
        long available = limit ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (Total > available)
        {
            string whose = limit is null ? "this machine has" : "the memory limit allows";
            throw new RequestException(
                $"The run needs {Total:N0} bytes ({Weights:N0} of weights, {KvPeak:N0} of cache, {Working:N0} of scratch), {whose} {available:N0}; "
                + "use a smaller budget, fewer tokens or a smaller model.");
        }
    }
}
