using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Models;
using KvIL.Plans;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Inference.Runtime;

/// <summary>A model compiled for a batch: runs tokens through it against a <see cref="KvCache"/>.</summary>
/// <remarks>
/// One pass takes any tokens of any sequences, those of a sequence together and in order: a prompt, a chunk of one, one token
/// of each sequence. Not safe for concurrent use.
/// </remarks>
public sealed partial class Engine : IDisposable
{
    private readonly StoreSpec[] _storeSpecs;
    private readonly IQueue _queue;
    private readonly ForwardPass _forward;
    private readonly IBuffer _tokenBuffer;
    private readonly IBuffer _positionBuffer;
    private readonly IBuffer _sequenceBuffer;
    private readonly IBuffer _rowBuffer;
    private readonly IBuffer _logitBuffer;
    private readonly LengthRotations _rotations;
    private readonly int[] _positions;
    private readonly int[] _lengths; // by sequence, what its rotations depend on
    private readonly int[] _rows;
    private readonly float[] _logits;

    /// <summary>Compiles <paramref name="model"/>, which must outlive the engine.</summary>
    /// <exception cref="RequestException">An option is out of range.</exception>
    public Engine(Model model, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        (Model, Options) = (model, Validate(model, options));
        SharingMap map = model.Transformer.Map;
        _storeSpecs = [.. Enumerable.Range(0, map.NumStores).Select(map.Owner).Select(owner => new StoreSpec(
            Options.Sequences, model.Config.NumKvHeadsOf(owner), model.Config.HeadDimOf(owner), Options.RowType, 0))];
        _retentions = [.. Enumerable.Range(0, map.NumStores).Select(RetentionOf)];
        _rings = [.. _retentions.Select(rows => rows is null ? null : EvictionPolicy.Parse($"sliding:budget={rows},sinks=0"))];
        _seesEverything = _rings.Contains(null);
        IBackend backend = model.Backend;
        _queue = backend.CreateQueue();
        _forward = new(this);
        _tokenBuffer = backend.Allocate(new(DType.I32, Options.Chunk), MemoryKind.Activations);
        _positionBuffer = backend.Allocate(new(DType.I32, Options.Chunk), MemoryKind.Activations);
        _sequenceBuffer = backend.Allocate(new(DType.I32, Options.Chunk), MemoryKind.Activations);
        _rowBuffer = backend.Allocate(new(DType.I32, Options.MaxLogitRows), MemoryKind.Activations);
        _logitBuffer = backend.Allocate(new(DType.F32, Options.MaxLogitRows, model.Config.VocabSize), MemoryKind.Activations);
        _positions = new int[Options.Chunk];
        _lengths = new int[Options.Sequences];
        _rows = new int[Options.MaxLogitRows];
        _logits = new float[(long)Options.MaxLogitRows * model.Config.VocabSize];
        _rotations = new(backend, model.Transformer.Ropes, Options.Chunk);
        _forward.Bind(_tokenBuffer, _positionBuffer, _sequenceBuffer, _rowBuffer, _logitBuffer, _rotations);
    }

    /// <summary>The model.</summary>
    public Model Model { get; }

    /// <summary>What the engine is compiled for; MaxTokens is resolved.</summary>
    public EngineOptions Options { get; }

    /// <summary>The plan of a pass.</summary>
    public Plan ForwardPlan => _forward.Plan;

    /// <summary>Spec of a store, rows left open: the shape of its owner's heads.</summary>
    internal StoreSpec StoreSpec(int store) => _storeSpecs[store];

    /// <summary>Spec of the remembered queries of a layer; null when none are remembered.</summary>
    internal TensorSpec? WindowSpec(int layer) => Options.Window == 0 ? null
        : new(DType.F32, Options.Sequences, Options.Window, Model.Config.QueryWidthOf(layer));

    /// <summary>Spec of the queries of a whole prompt in a layer.</summary>
    internal TensorSpec PromptSpec(int layer) => new(DType.F32, Options.Sequences, Options.MaxTokens, Model.Config.QueryWidthOf(layer));

    /// <summary>Bytes of scratch of a pass.</summary>
    internal long ForwardScratchBytes => _forward.ScratchBytes;

    /// <summary>Bytes of the buffers for a pass's tokens and logits.</summary>
    internal long BufferBytes => _logitBuffer.Spec.SizeBytes + (3 * _tokenBuffer.Spec.SizeBytes) + _rowBuffer.Spec.SizeBytes + _rotations.SizeBytes;

    internal IQueue Queue => _queue;

    /// <summary>An empty cache.</summary>
    public KvCache CreateCache() => new(this);

    /// <summary>Logits of the <paramref name="row"/>th row asked for in the last call.</summary>
    public ReadOnlySpan<float> Logits(int row) => _logits.AsSpan(row * Model.Config.VocabSize, Model.Config.VocabSize);

    /// <summary>Runs tokens through the model and appends them to the cache.</summary>
    /// <param name="cache">A cache of this engine.</param>
    /// <param name="sequences">Sequence of each token; tokens of a sequence stand together.</param>
    /// <param name="ids">The tokens.</param>
    /// <param name="logitRows">Indices of the tokens whose logits are wanted, ascending.</param>
    /// <exception cref="RequestException">A sequence would exceed the engine's token limit, or an id is none of the vocabulary.</exception>
    /// <exception cref="ArgumentException">The spans do not fit each other, or tokens of a sequence stand apart.</exception>
    /// <remarks>Positions that depend on the length of a sequence take the length after this call.</remarks>
    public void Forward(KvCache cache, ReadOnlySpan<int> sequences, ReadOnlySpan<int> ids, ReadOnlySpan<int> logitRows) =>
        Forward(cache, sequences, ids, logitRows, promptLength: 0);

    /// <summary>Runs a part of a prompt of <paramref name="promptLength"/> tokens, which is what rotations take as the length.</summary>
    internal void Forward(KvCache cache, ReadOnlySpan<int> sequences, ReadOnlySpan<int> ids, ReadOnlySpan<int> logitRows, int promptLength)
    {
        ArgumentNullException.ThrowIfNull(cache);
        CheckForward(cache, sequences, ids, logitRows);
        MakeRoom(cache, sequences);
        for (int first = 0; first < sequences.Length; first = EndOfRun(sequences, first))
        {
            int after = cache.Position(sequences[first]) + EndOfRun(sequences, first) - first;
            _lengths[sequences[first]] = Math.Max(promptLength, after);
        }

        if (Model.Transformer.Map.IsCyclic && HasRuns(sequences))
        {
            ForwardRuns(cache, sequences, ids, logitRows);
            return;
        }

        int logitsDone = 0;
        for (int first = 0; first < ids.Length; first += Options.Chunk)
        {
            int n = Math.Min(Options.Chunk, ids.Length - first);
            int wanted = 0;
            while (logitsDone + wanted < logitRows.Length && logitRows[logitsDone + wanted] < first + n)
            {
                _rows[wanted] = logitRows[logitsDone + wanted] - first;
                wanted++;
            }

            RunChunk(cache, sequences.Slice(first, n), ids.Slice(first, n), wanted);
            _queue.Download<float>(
                _logitBuffer, _logits.AsMemory(logitsDone * Model.Config.VocabSize, wanted * Model.Config.VocabSize));
            logitsDone += wanted;
        }

        _queue.Synchronize();
    }

    // A cyclic map takes one token of a sequence in a pass; more of them need passes of their own.
    private static bool HasRuns(ReadOnlySpan<int> sequences)
    {
        for (int i = 1; i < sequences.Length; i++)
        {
            if (sequences[i] == sequences[i - 1]) return true;
        }

        return false;
    }

    private void ForwardRuns(KvCache cache, ReadOnlySpan<int> sequences, ReadOnlySpan<int> ids, ReadOnlySpan<int> logitRows)
    {
        int done = 0;
        for (int first = 0; first < ids.Length;)
        {
            int end = EndOfRun(sequences, first), wanted = 0;
            while (done + wanted < logitRows.Length && logitRows[done + wanted] < end) wanted++;
            int[] rows = logitRows.Slice(done, wanted).ToArray();
            for (int i = 0; i < wanted; i++) rows[i] -= first;
            ForwardLayerwise(cache, sequences[first], ids[first..end], rows, done, _lengths[sequences[first]]);
            (first, done) = (end, done + wanted);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _queue.Dispose();
        _forward.Dispose();
        _layerwise?.Dispose();
        _layerwiseRemembering?.Dispose();
        _rotations.Dispose();
        foreach (EvictionExecutable executable in _evictions.Values)
        {
            executable.Dispose();
        }

        foreach (IBuffer buffer in (ReadOnlySpan<IBuffer>)[.. _unread ?? [], _tokenBuffer, _positionBuffer, _sequenceBuffer, _rowBuffer, _logitBuffer])
        {
            buffer.Dispose();
        }
    }

    private static EngineOptions Validate(Model model, EngineOptions options)
    {
        int context = model.Config.MaxPositions;
        int maxTokens = options.MaxTokens == 0 ? context : options.MaxTokens;
        if (maxTokens > context && !options.BeyondContext)
        {
            throw new RequestException(
                $"{maxTokens} tokens are more than the model's context of {context}; shorten the prompt or ask for fewer tokens.");
        }

        if (options.Chunk < 1 || options.Sequences < 1 || options.MaxLogitRows < 0 || options.Window < 0 || maxTokens < 1)
        {
            throw new RequestException("Chunk, sequences and tokens must be at least 1, logit rows and window at least 0.");
        }

        if (options.RowType is not (DType.F32 or DType.F16))
        {
            throw new RequestException($"Cached rows are F16 or F32, got {options.RowType}.");
        }

        return options with { MaxTokens = maxTokens, Chunk = Math.Max(options.Sequences, Math.Min(options.Chunk, maxTokens * options.Sequences)) };
    }

    private void CheckForward(KvCache cache, ReadOnlySpan<int> sequences, ReadOnlySpan<int> ids, ReadOnlySpan<int> logitRows)
    {
        if (sequences.Length != ids.Length)
        {
            throw new ArgumentException($"expected {ids.Length} sequence numbers, got {sequences.Length}.", nameof(sequences));
        }

        if (logitRows.Length > Options.MaxLogitRows)
        {
            throw new ArgumentException($"expected at most {Options.MaxLogitRows} rows of logits, got {logitRows.Length}.", nameof(logitRows));
        }

        CheckIds(ids);
        for (int i = 0; i < ids.Length;)
        {
            int end = EndOfRun(sequences, i);
            if (sequences[..i].Contains(sequences[i]))
            {
                throw new ArgumentException($"expected the tokens of sequence {sequences[i]} to stand together.", nameof(sequences));
            }

            // Where kept rows move to consecutive positions there is always room again.
            if (!cache.Policies[sequences[i]].Rerotates && cache.Position(sequences[i]) + end - i > Options.MaxTokens)
            {
                throw new RequestException(
                    $"{cache.Position(sequences[i]) + end - i} tokens are more than the {Options.MaxTokens} that this run allows; "
                    + "shorten the prompt or ask for fewer tokens.");
            }

            i = end;
        }
    }

    private void CheckIds(ReadOnlySpan<int> ids)
    {
        int bad = ids.IndexOfAnyExceptInRange(0, Model.Config.VocabSize - 1);
        if (bad >= 0)
        {
            throw new RequestException(
                $"Token {ids[bad]} is outside the model's vocabulary of {Model.Config.VocabSize}; encode the text with the model's own tokenizer.");
        }
    }

    private void RunChunk(KvCache cache, ReadOnlySpan<int> sequences, ReadOnlySpan<int> ids, int logitRows)
    {
        for (int i = 0; i < ids.Length;)
        {
            int end = EndOfRun(sequences, i);
            int sequence = sequences[i];
            for (int j = i; j < end; j++)
            {
                _positions[j] = cache.Position(sequence) + j - i;
            }

            _rotations.Fill(i, _positions.AsSpan(i, end - i), _lengths[sequence]);
            cache.AddTokens(sequence, end - i);
            for (int store = 0; store < Model.Transformer.Map.NumStores; store++)
            {
                cache.AddRows(store, sequence, end - i);
            }

            i = end;
        }

        _queue.Upload(ids, _tokenBuffer);
        _queue.Upload<int>(_positions.AsSpan(0, ids.Length), _positionBuffer);
        _queue.Upload(sequences, _sequenceBuffer);
        _rotations.Upload(_queue, ids.Length);
        _queue.Upload<int>(_rows.AsSpan(0, logitRows), _rowBuffer);
        _forward.Enqueue(_queue, cache, ids.Length, logitRows);
    }

    private static int EndOfRun(ReadOnlySpan<int> sequences, int first)
    {
        int end = first;
        while (end < sequences.Length && sequences[end] == sequences[first])
        {
            end++;
        }

        return end;
    }
}
