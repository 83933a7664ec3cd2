using System.Collections.Immutable;
using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Files;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Inference.Runtime;

public sealed partial class Engine
{
    private LayerwisePass? _layerwise;
    private LayerwisePass? _layerwiseRemembering;

    /// <summary>Runs a prompt through the model, keeps what the policy says, and leaves the logits of the last token.</summary>
    /// <remarks>
    /// When something will be evicted the prompt goes layer by layer, in chunks inside a layer, and each store is evicted
    /// as soon as its last reader is done, or all at the end where the policy compares stores. Else the chunks go through all layers.
    /// With <paramref name="evictEvery"/> the prompt goes in parts, and each part is followed by an eviction to the budget of the whole
    /// prompt: later parts see what the earlier ones left, and never more than a part beyond the budget is held. After an exception, one
    /// from <paramref name="progress"/> included, what the sequence holds is undefined: dispose of the cache.
    /// </remarks>
    /// <param name="cache">A cache of this engine.</param>
    /// <param name="sequence">The sequence; what it holds already stays before the prompt.</param>
    /// <param name="ids">The prompt, at least one token.</param>
    /// <param name="policy">What to keep.</param>
    /// <param name="reserve">Tokens that will follow, as far as known.</param>
    /// <param name="progress">Told the share done, from 0 to 1.</param>
    /// <param name="evictEvery">Tokens of a part; 0 for one part.</param>
    /// <returns>Loss and bounds per layer, where the engine measures them and something was evicted; those of the last part.</returns>
    /// <exception cref="RequestException">The prompt is empty or longer than the run allows, or an id is none of the vocabulary, or the policy cannot be run.</exception>
    public IReadOnlyList<EvictionCost> Prefill(
        KvCache cache, int sequence, ReadOnlySpan<int> ids, EvictionPolicy policy, int reserve = int.MaxValue, Action<double>? progress = null, int evictEvery = 0)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentOutOfRangeException.ThrowIfNegative(evictEvery);
        if (ids.IsEmpty)
        {
            throw new RequestException("The prompt has no tokens; give at least one.");
        }

        CheckIds(ids);
        int total = cache.Tokens(sequence) + ids.Length;
        if (policy.Rerotates && evictEvery == 0 && cache.Position(sequence) + ids.Length > Options.MaxTokens)
        {
            evictEvery = Options.Chunk; // only in parts does it fit
        }

        if (evictEvery == 0)
        {
            return PrefillPart(cache, sequence, ids, policy, reserve, progress);
        }

        // The budget of the whole prompt, for every part.
        EvictionPolicy fixedRows = policy.KeepsEverything ? policy : policy.WithBudget(Budget.OfRows(Math.Max(1, policy.Budget.RowsFor(total))));
        IReadOnlyList<EvictionCost> costs = [];
        for (int first = 0; first < ids.Length; first += evictEvery)
        {
            (int begin, int count) = (first, Math.Min(evictEvery, ids.Length - first));
            int length = ids.Length;
            costs = PrefillPart(
                cache, sequence, ids.Slice(first, count), fixedRows, reserve,
                progress is null ? null : share => progress((begin + (share * count)) / length));
        }

        return costs;
    }

    /// <summary>Runs tokens that follow a prompt, such as a question about it, without evicting for them, and leaves the logits of the last.</summary>
    /// <remarks>They are kept: later evictions cut to the rows held before and these.</remarks>
    /// <param name="cache">A cache of this engine.</param>
    /// <param name="sequence">The sequence.</param>
    /// <param name="ids">The tokens, at least one.</param>
    /// <exception cref="RequestException">There is no token, or they exceed what the run allows, or an id is none of the vocabulary.</exception>
    public void Follow(KvCache cache, int sequence, ReadOnlySpan<int> ids)
    {
        ArgumentNullException.ThrowIfNull(cache);
        if (ids.IsEmpty)
        {
            throw new RequestException("There are no tokens to follow; give at least one.");
        }

        for (int store = 0; store < Model.Transformer.Map.NumStores; store++)
        {
            Reserve(cache, store, sequence, ids.Length);
            cache.At(store, sequence).Kept += (long)ids.Length * StoreSpec.NumKvHeads;
        }

        int[] sequences = new int[ids.Length];
        Array.Fill(sequences, sequence);
        Forward(cache, sequences, ids, [ids.Length - 1]);
    }

    private IReadOnlyList<EvictionCost> PrefillPart(
        KvCache cache, int sequence, ReadOnlySpan<int> ids, EvictionPolicy policy, int reserve, Action<double>? progress)
    {
        _traces.Clear();
        int tokens = cache.Tokens(sequence) + ids.Length;
        if (cache.Position(sequence) + ids.Length > Options.MaxTokens)
        {
            throw new RequestException(
                $"The prompt has {ids.Length} tokens, which makes {cache.Position(sequence) + ids.Length}, more than the {Options.MaxTokens} that this run allows; shorten it.");
        }

        int[] rows = RowsOfStores(policy, tokens);
        bool evicts = rows.Min() < tokens;
        if (!policy.NeedsAllQueries || (evicts && !Options.RemembersPrompt))
        {
            RequireQueries(policy, tokens);
        }

        CheckRows(policy, rows.Min(), tokens, cache, sequence);
        reserve = policy.Rerotates ? reserve : Math.Min(reserve, Options.MaxTokens - cache.Position(sequence) - ids.Length);
        if (evicts)
        {
            return PrefillLayerwise(cache, sequence, ids, policy, reserve, progress);
        }

        for (int store = 0; store < rows.Length; store++)
        {
            Reserve(cache, store, sequence, ids.Length + Room(policy, rows[store], tokens, reserve));
        }

        int[] sequences = new int[Math.Min(ids.Length, Options.Chunk)];
        Array.Fill(sequences, sequence);
        for (int first = 0; first < ids.Length; first += Options.Chunk)
        {
            int n = Math.Min(Options.Chunk, ids.Length - first);
            int[] wanted = first + n == ids.Length ? [n - 1] : [];
            Forward(cache, sequences.AsSpan(0, n), ids.Slice(first, n), wanted, tokens);
            progress?.Invoke((double)(first + n) / ids.Length);
        }

        SetPolicy(cache, sequence, policy, [.. rows.Select(r => (long)r * StoreSpec.NumKvHeads)], reserve);
        return [];
    }

    // Layers take turns with one ring where each reads its own store and scores it at once; else each has one.
    private int RingsOfPrompt => Model.Transformer.Map.NumStores == Model.Transformer.Map.NumLayers ? 1 : Model.Transformer.Map.NumLayers;

    /// <summary>Bytes that a prompt takes when it goes layer by layer: scratch of the largest stage, and what is held of the whole prompt.</summary>
    internal (long Scratch, long Prompt) LayerwiseBytes(int tokens, bool remembersPrompt)
    {
        long elements = (2L * Model.Transformer.StreamWidth) + Model.Transformer.Ropes.Sum(rope => (long)rope.RotaryDim);
        long queries = remembersPrompt ? PromptSpec.SizeBytes * RingsOfPrompt : 0;
        return (Layerwise(remembersPrompt).ScratchBytes, queries + (tokens * (DType.F32.SizeBytes(elements) + DType.I32.SizeBytes(3))));
    }

    private List<EvictionCost> PrefillLayerwise(
        KvCache cache, int sequence, ReadOnlySpan<int> ids, EvictionPolicy policy, int reserve, Action<double>? progress)
    {
        SharingMap map = Model.Transformer.Map;
        bool wholePrompt = policy.NeedsAllQueries && Options.RemembersPrompt;
        LayerwisePass pass = Layerwise(wholePrompt);
        using PromptBuffers prompt = new(this, sequence, cache.Position(sequence), ids, wholePrompt);
        cache.AddTokens(sequence, ids.Length);
        long[] totals = StoreTotals(cache, sequence, policy);
        SetPolicy(cache, sequence, policy, totals, reserve);
        prompt.Chunks.ForEach(chunk => pass.Embed(
            prompt.Tokens.Rows(chunk.First, chunk.Count), chunk.Positions, prompt.Input(0, chunk), chunk.Rotations, chunk.Count));
        List<EvictionCost> costs = [];
        float[][] scores = new float[totals.Length][];
        float[] preferences = new float[totals.Length];
        bool compares = Compares(policy, totals, cache.Tokens(sequence));
        for (int layer = 0; layer < map.NumLayers; layer++)
        {
            int store = map.Stores[layer];
            if (map.IsOwner(layer))
            {
                Admit(cache, sequence, store, ids.Length, totals[store], policy, reserve);
            }

            foreach (PromptChunk chunk in prompt.Chunks)
            {
                pass.Layer(layer, cache, chunk, prompt.Input(layer, chunk), prompt.Input(layer + 1, chunk));
                progress?.Invoke((layer + ((double)(chunk.First + chunk.Count) / ids.Length)) / map.NumLayers);
            }

            if (map.Readers(store)[^1] != layer)
            {
                continue;
            }

            Cut cut = new(policy, totals[store], FreeRows(policy, reserve)) { IsFirst = true, Prompt = prompt.Queries, PromptQueries = ids.Length };
            if (compares)
            {
                (scores[store], preferences[store]) = ScoreOf(cache, store, sequence, cut);
            }
            else if (totals[store] < cache.Rows(store, sequence))
            {
                costs.AddRange(Compact(cache, cache, store, sequence, cut));
            }
        }

        if (compares)
        {
            Divide(cache, sequence, policy, totals, scores, preferences);
            costs.AddRange(CompactByScores(cache, sequence, policy, totals, scores, reserve));
        }

        Renumber(cache, sequence, policy);
        TakeLastLogits(pass, prompt.LastRow(map.NumLayers));
        return costs;
    }

    // Every store, once their rows are divided by the scores of all.
    private List<EvictionCost> CompactByScores(KvCache cache, int sequence, EvictionPolicy policy, long[] totals, float[][] scores, int reserve)
    {
        SetPolicy(cache, sequence, policy, totals, reserve);
        return [.. Enumerable.Range(0, totals.Length).Where(store => totals[store] < cache.Rows(store, sequence)).SelectMany(store => Compact(
            cache, cache, store, sequence, new(policy, totals[store], FreeRows(policy, reserve)) { IsFirst = true, Scores = scores[store] }))];
    }

    private void TakeLastLogits(LayerwisePass pass, IBuffer hidden)
    {
        _rows[0] = 0;
        _queue.Upload<int>(_rows.AsSpan(0, 1), _rowBuffer);
        pass.Head(hidden, _rowBuffer, _logitBuffer);
        _queue.Download<float>(_logitBuffer, _logits.AsMemory(0, Model.Config.VocabSize));
        _queue.Synchronize();
    }

    // Room in a store for a whole prompt, and for what follows where the store will not be cut.
    private void Admit(KvCache cache, int sequence, int store, int tokens, long total, EvictionPolicy policy, int reserve)
    {
        long held = cache.Rows(store, sequence) + ((long)tokens * StoreSpec.NumKvHeads);
        Reserve(cache, store, sequence, tokens + (total < held ? 0 : Room(policy, cache.At(store, sequence).Kept, total, false, reserve)));
        cache.AddRows(store, sequence, tokens);
    }

    private LayerwisePass Layerwise(bool remembersPrompt) => remembersPrompt
        ? _layerwiseRemembering ??= new(this, remembersPrompt)
        : _layerwise ??= new(this, remembersPrompt);

    /// <summary>Indices, rotations and hidden states of a whole prompt on the device.</summary>
    private sealed class PromptBuffers : IDisposable
    {
        private readonly List<IBuffer> _owned = [];
        private readonly IBuffer[] _hidden;
        private readonly int _count;
        private readonly LengthRotations _lengthRotations;

        public PromptBuffers(Engine engine, int sequence, int firstPosition, ReadOnlySpan<int> ids, bool remembersQueries)
        {
            IBackend backend = engine.Model.Backend;
            _count = ids.Length;
            IBuffer Allocate(TensorSpec spec)
            {
                IBuffer buffer = backend.Allocate(spec, MemoryKind.Activations);
                _owned.Add(buffer);
                return buffer;
            }

            Tokens = Allocate(new(DType.I32, _count));
            IBuffer positions = Allocate(new(DType.I32, _count));
            IBuffer sequences = Allocate(new(DType.I32, _count));
            ImmutableArray<RopeConfig> ropes = engine.Model.Transformer.Ropes;
            _lengthRotations = new(backend, ropes, _count);
            IBuffer[] rotations = new IBuffer[ropes.Length];
            foreach ((int rope, IBuffer buffer) in _lengthRotations.Buffers)
            {
                rotations[rope] = buffer;
            }

            for (int rope = 0; rope < ropes.Length; rope++)
            {
                rotations[rope] ??= Allocate(new(DType.F32, _count, ropes[rope].RotaryDim));
            }

            _hidden = [Allocate(new(DType.F32, _count, engine.Model.Transformer.StreamWidth)), Allocate(new(DType.F32, _count, engine.Model.Transformer.StreamWidth))];
            engine.Queue.Upload(ids, Tokens);
            int[] positionsOfTokens = [.. Enumerable.Range(firstPosition, _count)];
            engine.Queue.Upload<int>(positionsOfTokens, positions);
            _lengthRotations.Fill(0, positionsOfTokens, firstPosition + _count);
            _lengthRotations.Upload(engine.Queue, _count);
            engine.Queue.Upload<int>([.. Enumerable.Repeat(sequence, _count)], sequences);
            if (remembersQueries)
            {
                IBuffer[] rings = [.. Enumerable.Range(0, engine.RingsOfPrompt).Select(_ => Allocate(engine.PromptSpec))];
                Queries = [.. Enumerable.Range(0, engine.Model.Config.NumLayers).Select(layer => rings[layer % rings.Length])];
            }

            for (int first = 0; first < _count; first += engine.Options.Chunk)
            {
                int n = Math.Min(engine.Options.Chunk, _count - first);
                Chunks.Add(new(
                    first, n, positions.Rows(first, n), sequences.Rows(first, n), [.. rotations.Select(rotation => rotation.Rows(first, n))], Queries));
            }
        }

        public IBuffer Tokens { get; }

        public List<PromptChunk> Chunks { get; } = [];

        /// <summary>Where each layer leaves all its queries; null when nobody wants them.</summary>
        public IReadOnlyList<IBuffer>? Queries { get; }

        /// <summary>Hidden state that enters a layer: two buffers take turns.</summary>
        public IBuffer Input(int layer, PromptChunk chunk) => _hidden[layer % 2].Rows(chunk.First, chunk.Count);

        public IBuffer LastRow(int layers) => _hidden[layers % 2].Rows(_count - 1, 1);

        public void Dispose()
        {
            _lengthRotations.Dispose();
            _owned.ForEach(buffer => buffer.Dispose());
        }
    }
}
