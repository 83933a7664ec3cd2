using System.Collections;
using System.Diagnostics;
using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Inference.Tokenization;
using KvIL.Tensors;

namespace KvIL.Inference.Generation;

/// <summary>What is asked of a generation.</summary>
public sealed record GenerationOptions
{
    /// <summary>What the cache keeps.</summary>
    public EvictionPolicy Eviction { get; init; } = EvictionPolicy.Full;

    /// <summary>Most tokens generated; fewer where the model's context ends.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>How tokens are drawn.</summary>
    public SamplingOptions Sampling { get; init; } = SamplingOptions.Greedy;

    /// <summary>Element type of cached keys and values.</summary>
    public DType RowType { get; init; } = DType.F16;

    /// <summary>Most tokens of one pass of the prompt.</summary>
    public int Chunk { get; init; } = 512;

    /// <summary>Whether the loss and the bounds of the eviction are computed.</summary>
    public bool MeasureLoss { get; init; }

    /// <summary>Whether an end token ends the text.</summary>
    public bool StopAtEos { get; init; } = true;

    /// <summary>Most bytes of weights, caches and scratch together; null for what the machine has.</summary>
    public long? MemoryLimit { get; init; }

    /// <summary>Told the share of the prompt that is done, from 0 to 1.</summary>
    public Action<double>? PrefillProgress { get; init; }
}

/// <summary>A token, and the text that it completed: empty while a character is incomplete.</summary>
/// <param name="Id">The token.</param>
/// <param name="Text">Text to append.</param>
public readonly record struct TextPiece(int Id, string Text);

/// <summary>Why a text ended.</summary>
public enum StopReason
{
    /// <summary>It has not ended, or nobody read it to its end.</summary>
    None,

    /// <summary>The model gave an end token.</summary>
    EndOfText,

    /// <summary>As many tokens as asked for.</summary>
    MaxTokens,

    /// <summary>The model's context is full.</summary>
    Context,
}

/// <summary>A text being generated: enumerate it, or await it, once; statistics are complete at the end.</summary>
public sealed class Generation : IEnumerable<TextPiece>, IAsyncEnumerable<TextPiece>
{
    private readonly Model _model;
    private readonly int[] _prompt;
    private readonly GenerationOptions _options;

    /// <summary>A generation from token ids.</summary>
    public Generation(Model model, ReadOnlySpan<int> prompt, GenerationOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        (_model, _prompt, _options) = (model, prompt.ToArray(), options);
        options.Sampling.Validate();
        Statistics = new(prompt.Length);
    }

    /// <summary>Times, bytes and costs so far.</summary>
    public GenerationStatistics Statistics { get; }

    /// <inheritdoc/>
    public IEnumerator<TextPiece> GetEnumerator()
    {
        int context = _model.Config.MaxPositions;
        if (_prompt.Length > context)
        {
            throw new RequestException(
                $"The prompt has {_prompt.Length} tokens, the model's context is {context}; shorten the prompt.");
        }

        int maxTokens = Math.Min(_options.MaxTokens, context - _prompt.Length);
        EngineOptions engineOptions = new()
        {
            Chunk = Math.Max(1, Math.Min(_options.Chunk, _prompt.Length)),
            MaxTokens = _prompt.Length + maxTokens,
            RowType = _options.RowType,
            Window = Queries(_prompt.Length + maxTokens),
            MeasureLoss = _options.MeasureLoss,
        };
        using Engine engine = new(_model, engineOptions);
        MemoryNeed need = MemoryNeed.Of(engine, _options.Eviction, _prompt.Length, maxTokens);
        need.Check(_options.MemoryLimit);
        Statistics.KvFullBytes = need.KvFull;
        Statistics.WeightBytes = need.Weights;
        using KvCache cache = engine.CreateCache();
        foreach (TextPiece piece in Run(engine, cache, maxTokens))
        {
            yield return piece;
        }
    }

    /// <summary>The same off the calling thread, one step at a time.</summary>
    public async IAsyncEnumerator<TextPiece> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        using IEnumerator<TextPiece> pieces = GetEnumerator();
        while (await Task.Run(pieces.MoveNext, cancellationToken).ConfigureAwait(false))
        {
            yield return pieces.Current;
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    // A window as long as the whole run never scores, so nothing is remembered for it; measuring takes the last query.
    private int Queries(int tokens) => Math.Max(
        _options.Eviction.UsesScores && _options.Eviction.Window < tokens ? _options.Eviction.Window : 0, _options.MeasureLoss ? 1 : 0);

    private IEnumerable<TextPiece> Run(Engine engine, KvCache cache, int maxTokens)
    {
        MemoryAccount memory = _model.Backend.Memory;
        memory.ResetPeaks();
        Stopwatch clock = Stopwatch.StartNew();
        Statistics.Costs = engine.Prefill(cache, 0, _prompt, _options.Eviction, maxTokens, _options.PrefillProgress);
        Statistics.PrefillTime = clock.Elapsed;
        Update();

        Sampler sampler = new(_options.Sampling, _model.Config.VocabSize);
        // After a text, as against a start token alone, a blank that the first token begins with is text.
        TokenStream? stream = _model.Tokenizer is { } tokenizer
            ? tokenizer.CreateStream(continues: Array.Exists(_prompt, token => !tokenizer.IsSpecial(token)))
            : null;
        int[] sequence = [0];
        int[] id = new int[1];
        Statistics.StopReason = _options.MaxTokens > maxTokens ? StopReason.Context : StopReason.MaxTokens;
        for (int i = 0; i < maxTokens; i++)
        {
            clock.Restart();
            if (i > 0)
            {
                engine.Forward(cache, sequence, id, sequence);
            }

            id[0] = sampler.Next(engine.Logits(0));
            Statistics.DecodeTime += i > 0 ? clock.Elapsed : TimeSpan.Zero;
            if (_options.StopAtEos && _model.EosIds.Contains(id[0]))
            {
                Statistics.StopReason = StopReason.EndOfText;
                break;
            }

            Statistics.GeneratedTokens = i + 1;
            Update();
            yield return new(id[0], stream?.Append(id[0]) ?? "");
        }

        if (stream?.Flush() is { Length: > 0 } rest)
        {
            yield return new(id[0], rest);
        }

        void Update()
        {
            Statistics.KvPeakBytes = memory.Peak(MemoryKind.Cache);
            Statistics.KvHeldBytes = cache.SizeBytes;
            Statistics.KvRowBytes = cache.RowBytes;
            Statistics.ScratchBytes = memory.Peak(MemoryKind.Scratch) + memory.Peak(MemoryKind.Activations);
        }
    }
}
