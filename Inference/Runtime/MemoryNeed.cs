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
        SharingMap map = engine.Model.Transformer.Map;
        int[] all = [.. Enumerable.Range(0, map.NumStores)];
        long Bytes(int store, long rowsPerHead) => (engine.StoreSpec(store) with { Rows = rowsPerHead * engine.KvHeads(store) }).SizeBytes;
        long Sum(Func<int, long> rowsPerHead) => all.Sum(store => Bytes(store, rowsPerHead(store)));

        long windows = Enumerable.Range(0, map.NumLayers).Sum(layer => engine.WindowSpec(layer)?.SizeBytes ?? 0);
        newTokens += questionTokens;
        long tokens = (long)promptTokens + newTokens;
        int[] rows = engine.RowsOf(policy, promptTokens);
        int[] room = [.. all.Select(store => RoomOf(engine, store, policy, rows[store], promptTokens, newTokens))];
        long[] held = [.. all.Select(store => Bytes(store, Math.Min(tokens, (long)rows[store] + room[store])))];
        // A store cut again while decoding, or a ring while the prompt comes: two copies.
        long again = all.Where(store => room[store] < newTokens || (engine.IsRing(store, policy) && rows[store] < tokens)).Select(store => held[store]).Append(0).Max();
        long question = questionTokens == 0 ? 0 : Sum(_ => questionTokens) + held.Max(); // and a store enlarged for it: two copies
        long peak = windows + held.Sum() + again + question;
        long scratch = engine.ForwardScratchBytes;
        long buffers = engine.BufferBytes;
        bool evictsPrompt = engine.Evicts(policy, rows, promptTokens);
        if (evictsPrompt || again > 0)
        {
            (long eviction, long figures) = engine.EvictionBytes(policy);
            scratch = Math.Max(scratch, eviction);
            buffers += figures;
        }

        bool inParts = evictEvery > 0 && evictEvery < promptTokens;
        bool layerwise = evictsPrompt || engine.GoesLayerwise(promptTokens);
        if (inParts)
        {
            // Stores of at most the budget (and the window, which is kept whole at first) and free rows; those that are open at once with
            // room for a part beside their cut copies; where stores are compared all of them are.
            int least = Math.Min(policy.Window, promptTokens);
            long part = all.Max(store => Bytes(store, (long)Math.Max(rows[store], least) + Math.Max(evictEvery, policy.Slack)));
            peak = Math.Max(peak, windows + Sum(store => (long)Math.Max(rows[store], least) + room[store])
                + (part * (policy.ComparesStores ? map.NumStores + 1 : MostOpen(map))));
        }
        else if (layerwise)
        {
            long[] full = [.. all.Select(store => Bytes(store, promptTokens))];
            peak = Math.Max(peak, windows + (policy.ComparesStores && evictsPrompt
                ? full.Sum() + full.Max() // all are full while the first is cut
                : Layerwise(map, [.. rows.Select(r => r < promptTokens)], held, full)));
        }

        if (layerwise)
        {
            (long stages, long prompt) = engine.LayerwiseBytes(
                inParts ? evictEvery : promptTokens, policy.NeedsAllQueries && engine.Options.RemembersPrompt);
            scratch = Math.Max(scratch, stages);
            buffers += prompt;
        }

        return OfWeights(engine.Model.Transformer) with { KvPeak = peak, KvFull = Sum(_ => tokens), Working = scratch + buffers };
    }

    // Free rows of each head; a ring takes a chunk before it drops what the chunk hid.
    private static int RoomOf(Engine engine, int store, EvictionPolicy policy, int rows, int promptTokens, int newTokens) => engine.IsRing(store, policy)
        ? Math.Max(engine.PolicyOf(store, policy).Slack, engine.Options.Chunk)
        : Engine.Room(policy, rows, promptTokens, newTokens);

    // Stores between their owner and their last reader at once.
    private static long MostOpen(SharingMap map) => Layerwise(
        map, [.. Enumerable.Repeat(true, map.NumStores)], new long[map.NumStores], [.. Enumerable.Repeat(1L, map.NumStores)]);

    // Most bytes while a prompt goes layer by layer: a store is full from its owner to its last reader, and while its cut copy is written.
    // The layers of a cyclic slice are one: all their stores open before the first of them.
    private static long Layerwise(SharingMap map, bool[] isCut, long[] held, long[] full)
    {
        long current = 0, most = 0;
        foreach (LayerSlice slice in map.Steps)
        {
            bool Ends(int layer) => layer >= slice.First && layer < slice.End;
            foreach (int store in Enumerable.Range(0, map.NumStores).Where(store => Ends(map.Owner(store))))
            {
                current += isCut[store] ? full[store] : held[store];
            }

            most = Math.Max(most, current);
            foreach (int store in Enumerable.Range(0, map.NumStores).Where(store => isCut[store] && Ends(map.LastUse(store))))
            {
                most = Math.Max(most, current + held[store]);
                current += held[store] - full[store];
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
