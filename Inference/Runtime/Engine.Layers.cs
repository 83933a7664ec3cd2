using KvIL.Eviction;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Inference.Runtime;

// A prompt layer by layer, in chunks inside a layer; over and over where layers read stores that layers above them write.
public sealed partial class Engine
{
    private LayerwisePass? _layerwise;
    private LayerwisePass? _layerwiseRemembering;

    /// <summary>Layers take turns with one ring where each reads its own store and scores it at once; else each has one.</summary>
    internal int RingsOfPrompt => Model.Transformer.Map is var map && map.NumStores == map.NumLayers && _storeSpecs.Distinct().Count() == 1 ? 1 : map.NumLayers;

    /// <summary>Buffers of hidden states that a prompt takes: two take turns; a cyclic slice keeps its input and needs two more inside.</summary>
    internal int HiddenBuffers => Model.Transformer.Map.IsCyclic ? 4 : 2;

    /// <summary>Bytes that a prompt takes when it goes layer by layer: scratch of the largest stage, and what is held of the whole prompt.</summary>
    internal (long Scratch, long Prompt) LayerwiseBytes(int tokens, bool remembersPrompt)
    {
        long elements = ((long)HiddenBuffers * Model.Transformer.StreamWidth) + Model.Transformer.Ropes.Sum(rope => (long)rope.RotaryDim);
        long queries = remembersPrompt ? Enumerable.Range(0, RingsOfPrompt).Sum(layer => PromptSpec(layer).SizeBytes) : 0;
        LayerwisePass pass = Layerwise(remembersPrompt);
        return (pass.ScratchBytes, pass.OwnBytes + queries + (tokens * (DType.F32.SizeBytes(elements) + DType.I32.SizeBytes(3))));
    }

    /// <summary>Whether a prompt goes layer by layer though nothing of it is evicted.</summary>
    internal bool GoesLayerwise(int tokens) => tokens > 1 && (Model.Transformer.Map.IsCyclic || FirstNeeded(tokens, tokens - 1) > 0 && TrailingReaders < Model.Config.NumLayers);

    // The first layer of those at the end that write no store.
    private int TrailingReaders
    {
        get
        {
            SharingMap map = Model.Transformer.Map;
            return map.Owner(map.NumStores - 1) + 1;
        }
    }

    /// <summary>Which buffer holds what enters a layer.</summary>
    internal int HiddenBuffer(int layer)
    {
        int buffer = 0;
        foreach (LayerSlice slice in Model.Transformer.Map.Slices)
        {
            if (layer < slice.End)
            {
                return !slice.IsCyclic ? (buffer + layer - slice.First) % 2 : layer == slice.First ? buffer : 2 + ((layer - slice.First) % 2);
            }

            buffer = slice.IsCyclic ? 1 - buffer : (buffer + slice.Length) % 2;
        }

        return buffer;
    }

    private List<EvictionCost> PrefillLayerwise(
        KvCache cache, int sequence, ReadOnlySpan<int> ids, EvictionPolicy policy, int reserve, Action<double>? progress)
    {
        bool wholePrompt = policy.NeedsAllQueries && Options.RemembersPrompt;
        LayerwisePass pass = Layerwise(wholePrompt);
        int length = cache.Position(sequence) + ids.Length;
        using PromptBuffers prompt = new(this, sequence, cache.Position(sequence), length, ids, wholePrompt);
        cache.AddTokens(sequence, ids.Length);
        long[] totals = StoreTotals(cache, sequence, policy);
        SetPolicy(cache, sequence, policy, totals, reserve);
        List<EvictionCost> costs = [];
        float[][] scores = new float[totals.Length][];
        float[] preferences = new float[totals.Length];
        bool compares = Compares(policy, totals, cache.Tokens(sequence));
        int needed = wholePrompt ? 0 : FirstNeeded(ids.Length, ids.Length - 1);
        RunLayers(pass, cache, prompt, needed, progress, opens: store => Admit(cache, sequence, store, prompt.Count, totals[store], policy, reserve), closes: store =>
        {
            Cut cut = FirstCut(store, policy, totals[store], reserve) with { Prompt = prompt.Queries, PromptQueries = prompt.Count };
            if (compares && !IsRing(store, policy))
            {
                (scores[store], preferences[store]) = ScoreOf(cache, store, sequence, cut);
            }
            else if (totals[store] < cache.Rows(store, sequence))
            {
                costs.AddRange(Compact(cache, cache, store, sequence, cut));
            }
        });
        if (compares)
        {
            int[]?[] counts = Divide(cache, sequence, policy, totals, scores, preferences);
            costs.AddRange(CompactByScores(cache, sequence, policy, totals, scores, counts, reserve));
        }

        Renumber(cache, sequence, policy);
        TakeLogits(pass, prompt, [ids.Length - 1], 0);
        _queue.Synchronize();
        return costs;
    }

    // Every store, once their rows are divided by the scores of all.
    private List<EvictionCost> CompactByScores(
        KvCache cache, int sequence, EvictionPolicy policy, long[] totals, float[][] scores, int[]?[] counts, int reserve)
    {
        SetPolicy(cache, sequence, policy, totals, reserve);
        return [.. Evicting(policy).Where(store => totals[store] < cache.Rows(store, sequence)).SelectMany(store => Compact(
            cache, cache, store, sequence, FirstCut(store, policy, totals[store], reserve) with { Scores = scores[store], Counts = counts[store] }))];
    }

    // Tokens of one sequence through a cyclic map; their rows are reserved.
    private void ForwardLayerwise(KvCache cache, int sequence, ReadOnlySpan<int> ids, ReadOnlySpan<int> logitRows, int firstLogits, int length)
    {
        LayerwisePass pass = Layerwise(remembersPrompt: false);
        using PromptBuffers prompt = new(this, sequence, cache.Position(sequence), length, ids, remembersQueries: false);
        cache.AddTokens(sequence, ids.Length);
        for (int store = 0; store < Model.Transformer.Map.NumStores; store++)
        {
            cache.AddRows(store, sequence, ids.Length);
        }

        RunLayers(pass, cache, prompt, FirstNeeded(ids.Length, logitRows.Length == 0 ? ids.Length : logitRows[0]), null, _ => { }, _ => { });
        TakeLogits(pass, prompt, logitRows, firstLogits);
        _queue.Synchronize(); // the prompt's buffers are freed
    }

    // The first token that layers above all owners must run: for its logits, or for its queries.
    private int FirstNeeded(int tokens, int firstLogits) =>
        Options.FastPrefill ? Math.Max(0, Math.Min(firstLogits, tokens - Math.Max(1, Options.Window))) : 0;

    // All layers over a prompt. Stores open before the first layer that writes them and close after the last that reads them.
    private void RunLayers(
        LayerwisePass pass, KvCache cache, PromptBuffers prompt, int firstNeeded, Action<double>? progress, Action<int> opens, Action<int> closes)
    {
        SharingMap map = Model.Transformer.Map;
        foreach (PromptChunk chunk in prompt.Chunks(0, prompt.Count))
        {
            pass.Embed(prompt.Tokens.Rows(chunk.First, chunk.Count), chunk, prompt.Hidden(0, chunk));
        }

        foreach (LayerSlice slice in map.Steps)
        {
            foreach (int store in Enumerable.Range(slice.First, slice.Length).Select(map.StoreOf).Where(store => store >= 0))
            {
                opens(store);
            }

            if (slice.IsCyclic)
            {
                Iterate(pass, cache, prompt, slice, share => progress?.Invoke((slice.First + (share * slice.Length)) / map.NumLayers));
            }
            else
            {
                foreach (PromptChunk chunk in prompt.Chunks(slice.First >= TrailingReaders ? firstNeeded : 0, prompt.Count))
                {
                    RunLayer(pass, cache, prompt, slice.First, chunk);
                    progress?.Invoke((slice.First + ((double)(chunk.First + chunk.Count) / prompt.Count)) / map.NumLayers);
                }
            }

            foreach (int store in Enumerable.Range(0, map.NumStores).Where(store => map.LastUse(store) is int last && last >= slice.First && last < slice.End))
            {
                closes(store);
            }
        }
    }

    // Passes over the layers of a cyclic slice. Of a chunk, pass p runs the tokens from p on, for those before are exact; passes over the whole
    // prompt run all of it, so that equal rows give equal bits and a fixed point is seen.
    private void Iterate(LayerwisePass pass, KvCache cache, PromptBuffers prompt, LayerSlice slice, Action<double> progress)
    {
        int most = Options.Prefill.Chunk ?? prompt.Count;
        for (int first = 0; first < prompt.Count; first += most)
        {
            int count = Math.Min(most, prompt.Count - first), passes = Math.Min(Options.Prefill.Passes, count);
            foreach (PromptChunk chunk in prompt.Chunks(first, first + count))
            {
                pass.Open(slice, cache, chunk);
            }

            for (int p = 0; p < passes; p++)
            {
                float change = RunSlice(pass, cache, prompt, slice, Options.Prefill.Chunk is null ? first : first + p, first + count, Options.Prefill.Tolerance is not null && p + 1 < passes);
                progress((first + (count * (p + 1.0) / passes)) / prompt.Count);
                if (Options.Prefill.Tolerance is double tolerance && change <= tolerance) break;
            }
        }
    }

    // One pass. Returns by how much the rows changed that layers below their owners read, if that is asked for; else NaN.
    private float RunSlice(LayerwisePass pass, KvCache cache, PromptBuffers prompt, LayerSlice slice, int first, int end, bool measures)
    {
        float change = measures ? 0 : float.NaN;
        for (int layer = slice.First; layer < slice.End; layer++)
        {
            foreach (PromptChunk chunk in prompt.Chunks(first, end))
            {
                RunLayer(pass, cache, prompt, layer, chunk);
                if (measures && pass.Change(layer) is float changed)
                {
                    change = Math.Max(change, changed);
                }
            }
        }

        return change;
    }

    private static void RunLayer(LayerwisePass pass, KvCache cache, PromptBuffers prompt, int layer, PromptChunk chunk) =>
        pass.Layer(layer, cache, chunk, prompt.Hidden(layer, chunk), prompt.Hidden(layer + 1, chunk));

    // Logits of rows of the prompt, ascending, to be downloaded behind those that are there.
    private void TakeLogits(LayerwisePass pass, PromptBuffers prompt, ReadOnlySpan<int> rows, int firstLogits)
    {
        int done = 0;
        foreach (PromptChunk chunk in prompt.Chunks(0, prompt.Count))
        {
            int wanted = 0;
            for (; done + wanted < rows.Length && rows[done + wanted] < chunk.First + chunk.Count; wanted++)
            {
                _rows[wanted] = rows[done + wanted] - chunk.First;
            }

            if (wanted == 0) continue;
            _queue.Upload<int>(_rows.AsSpan(0, wanted), _rowBuffer);
            pass.Head(prompt.Hidden(Model.Config.NumLayers, chunk), chunk.Count, _rowBuffer, wanted, _logitBuffer);
            _queue.Download<float>(_logitBuffer, _logits.AsMemory((firstLogits + done) * Model.Config.VocabSize, wanted * Model.Config.VocabSize));
            done += wanted;
        }
    }

    // Room in a store for a whole prompt, and for what follows where the store will not be cut.
    private void Admit(KvCache cache, int sequence, int store, int tokens, long total, EvictionPolicy policy, int reserve)
    {
        long held = cache.Rows(store, sequence) + ((long)tokens * KvHeads(store));
        int room = total < held || IsRing(store, policy) ? 0 : Room(policy, cache.At(store, sequence).Kept, total, false, reserve, KvHeads(store));
        Reserve(cache, store, sequence, tokens + room);
        cache.AddRows(store, sequence, tokens);
    }

    private LayerwisePass Layerwise(bool remembersPrompt) => remembersPrompt
        ? _layerwiseRemembering ??= new(this, remembersPrompt)
        : _layerwise ??= new(this, remembersPrompt);
}
