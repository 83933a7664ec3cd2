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

    /// <summary>Runs a prompt through the model, keeps what the policy says, and leaves the logits of the last token.</summary>
    /// <remarks>
    /// When something will be evicted the prompt goes layer by layer, in chunks inside a layer, and each store is evicted
    /// as soon as its last reader is done. Else the chunks go through all layers. After an exception, one from
    /// <paramref name="progress"/> included, what the sequence holds is undefined: dispose of the cache.
    /// </remarks>
    /// <param name="cache">A cache of this engine.</param>
    /// <param name="sequence">The sequence; what it holds already stays before the prompt.</param>
    /// <param name="ids">The prompt, at least one token.</param>
    /// <param name="policy">What to keep.</param>
    /// <param name="reserve">Tokens that will follow, as far as known.</param>
    /// <param name="progress">Told the share done, from 0 to 1.</param>
    /// <returns>Loss and bounds per layer, where the engine measures them and something was evicted.</returns>
    /// <exception cref="RequestException">The prompt is empty or longer than the run allows, or an id is none of the vocabulary.</exception>
    public IReadOnlyList<EvictionCost> Prefill(
        KvCache cache, int sequence, ReadOnlySpan<int> ids, EvictionPolicy policy, int reserve = int.MaxValue, Action<double>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(policy);
        RequireWindow(policy);
        if (ids.IsEmpty)
        {
            throw new RequestException("The prompt has no tokens; give at least one.");
        }

        CheckIds(ids);
        int tokens = cache.Tokens(sequence) + ids.Length;
        if (tokens > Options.MaxTokens)
        {
            throw new RequestException(
                $"The prompt has {ids.Length} tokens, which makes {tokens}, more than the {Options.MaxTokens} that this run allows; shorten it.");
        }

        int[] rows = StoreRows.Of(policy, tokens, Model.Transformer.Map.NumStores);
        reserve = Math.Min(reserve, Options.MaxTokens - tokens);
        if (rows.Min() < tokens)
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

        SetPolicy(cache, sequence, policy, reserve);
        return [];
    }

    /// <summary>Bytes that a prompt takes when it goes layer by layer: scratch of the largest stage, and what is held of the whole prompt.</summary>
    internal (long Scratch, long Prompt) LayerwiseBytes(int tokens)
    {
        _layerwise ??= new(this);
        long elements = (2L * Model.Config.HiddenSize) + Model.Transformer.Ropes.Sum(rope => (long)rope.RotaryDim);
        return (_layerwise.ScratchBytes, tokens * (DType.F32.SizeBytes(elements) + DType.I32.SizeBytes(3)));
    }

    private List<EvictionCost> PrefillLayerwise(
        KvCache cache, int sequence, ReadOnlySpan<int> ids, EvictionPolicy policy, int reserve, Action<double>? progress)
    {
        _layerwise ??= new(this);
        SharingMap map = Model.Transformer.Map;
        using PromptBuffers prompt = new(this, sequence, cache.Tokens(sequence), ids);
        cache.AddTokens(sequence, ids.Length);
        int[] rows = SetPolicy(cache, sequence, policy, reserve);
        foreach (PromptChunk chunk in prompt.Chunks)
        {
            IBuffer tokens = prompt.Tokens.Rows(chunk.First, chunk.Count);
            _layerwise.Embed(tokens, chunk.Positions, prompt.Input(0, chunk), chunk.Rotations, chunk.Count);
        }

        List<EvictionCost> costs = [];
        for (int layer = 0; layer < map.NumLayers; layer++)
        {
            int store = map.Stores[layer];
            if (map.IsOwner(layer))
            {
                int tokens = cache.Tokens(sequence);
                Reserve(cache, store, sequence, ids.Length + (rows[store] < tokens ? 0 : Room(policy, rows[store], tokens, reserve)));
                cache.AddRows(store, sequence, ids.Length);
            }

            foreach (PromptChunk chunk in prompt.Chunks)
            {
                _layerwise.Layer(layer, cache, chunk, prompt.Input(layer, chunk), prompt.Input(layer + 1, chunk));
                progress?.Invoke((layer + ((double)(chunk.First + chunk.Count) / ids.Length)) / map.NumLayers);
            }

            if (map.Readers(store)[^1] == layer && rows[store] < cache.Tokens(sequence))
            {
                costs.AddRange(Compact(cache, cache, store, sequence, policy, rows[store], FreeRows(policy, reserve), Options.MeasureLoss));
            }
        }

        _rows[0] = 0;
        _queue.Upload<int>(_rows.AsSpan(0, 1), _rowBuffer);
        _layerwise.Head(prompt.LastRow(map.NumLayers), _rowBuffer, _logitBuffer);
        _queue.Download<float>(_logitBuffer, _logits.AsMemory(0, Model.Config.VocabSize));
        _queue.Synchronize();
        return costs;
    }

    /// <summary>Indices, rotations and hidden states of a whole prompt on the device.</summary>
    private sealed class PromptBuffers : IDisposable
    {
        private readonly List<IBuffer> _owned = [];
        private readonly IBuffer[] _hidden;
        private readonly int _count;
        private readonly LengthRotations _lengthRotations;

        public PromptBuffers(Engine engine, int sequence, int firstPosition, ReadOnlySpan<int> ids)
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

            _hidden = [Allocate(new(DType.F32, _count, engine.Model.Config.HiddenSize)), Allocate(new(DType.F32, _count, engine.Model.Config.HiddenSize))];
            engine.Queue.Upload(ids, Tokens);
            int[] positionsOfTokens = [.. Enumerable.Range(firstPosition, _count)];
            engine.Queue.Upload<int>(positionsOfTokens, positions);
            _lengthRotations.Fill(0, positionsOfTokens, firstPosition + _count);
            _lengthRotations.Upload(engine.Queue, _count);
            engine.Queue.Upload<int>([.. Enumerable.Repeat(sequence, _count)], sequences);
            for (int first = 0; first < _count; first += engine.Options.Chunk)
            {
                int n = Math.Min(engine.Options.Chunk, _count - first);
                Chunks.Add(new(first, n, positions.Rows(first, n), sequences.Rows(first, n), [.. rotations.Select(rotation => rotation.Rows(first, n))]));
            }
        }

        public IBuffer Tokens { get; }

        public List<PromptChunk> Chunks { get; } = [];

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
