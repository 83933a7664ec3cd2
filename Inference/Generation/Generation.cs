using System.Collections;
using System.Diagnostics;
using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Inference.Tokenization;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Inference.Generation;

/// <summary>What is asked of a generation.</summary>
public sealed record GenerationOptions
{
    /// <summary>What the cache keeps.</summary>
    public EvictionPolicy Eviction { get; init; } = EvictionPolicy.Full;

    /// <summary>Text after the prompt that eviction does not see: the prompt is cut first, then this is read and kept whole. Null for none.</summary>
    public string? Question { get; init; }

    /// <summary>Ranges of prompt tokens that are kept whatever their scores; they count in the budget.</summary>
    public IReadOnlyList<Range> Protect { get; init; } = [];

    /// <summary>Tokens of the prompt between evictions, so that the peak is the budget and one part; 0 for one eviction at its end.</summary>
    public int EvictEvery { get; init; }

    /// <summary>Most tokens generated; fewer where the model's context ends.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>How tokens are drawn.</summary>
    public SamplingOptions Sampling { get; init; } = SamplingOptions.Greedy;

    /// <summary>Element type of cached keys and values.</summary>
    public DType RowType { get; init; } = DType.F16;

    /// <summary>Most tokens of one pass of the prompt.</summary>
    public int Chunk { get; init; } = 512;

    /// <summary>How a prompt goes through layers that read stores which layers above them write.</summary>
    public PrefillStrategy Prefill { get; init; } = PrefillStrategy.Default;

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
    private readonly int[] _question;
    private readonly GenerationOptions _options;

    /// <summary>A generation from token ids.</summary>
    public Generation(Model model, ReadOnlySpan<int> prompt, GenerationOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        (_model, _prompt, _options) = (model, prompt.ToArray(), options);
        options.Sampling.Validate();
        _question = options.Question is { Length: > 0 } question ? Tokens(question) : [];
        Statistics = new(prompt.Length + _question.Length);
    }

    /// <summary>Times, bytes and costs so far.</summary>
    public GenerationStatistics Statistics { get; }

    /// <inheritdoc/>
    public IEnumerator<TextPiece> GetEnumerator()
    {
        EvictionPolicy policy = _options.Eviction;
        int maxTokens = MostNewTokens();
        int tokens = policy.Rerotates ? _model.Config.MaxPositions : _prompt.Length + _question.Length + maxTokens;
        EngineOptions engineOptions = new()
        {
            Chunk = Math.Max(1, Math.Min(_options.Chunk, _prompt.Length)),
            Prefill = _options.Prefill,
            MaxTokens = tokens,
            RowType = _options.RowType,
            Window = Queries(
                policy, tokens, _options.MeasureLoss, evictsAgain: _options.EvictEvery > 0 || policy.Rerotates || tokens - _prompt.Length > policy.Slack),
            RemembersPrompt = policy.NeedsAllQueries,
            MeasureLoss = _options.MeasureLoss,
        };
        using Engine engine = new(_model, engineOptions);
        MemoryNeed need = MemoryNeed.Of(engine, policy, _prompt.Length, maxTokens, _question.Length, _options.EvictEvery);
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

    private int[] Tokens(string question) => _model.Tokenizer?.Encode(question, addBos: false)
        ?? throw new RequestException("The model has no tokenizer, so a question cannot be read; add one beside its weights.");

    // Fewer than asked for where the context ends; with rows moved to consecutive positions it never does.
    private int MostNewTokens()
    {
        int context = _model.Config.MaxPositions;
        EvictionPolicy policy = _options.Eviction;
        if (policy.Rerotates)
        {
            long held = (long)Math.Max(1, policy.Budget.RowsFor(_prompt.Length)) + policy.Slack + _question.Length + 1;
            return held <= context ? _options.MaxTokens : throw new RequestException(
                $"The budget with its slack and the question takes {held} rows of each head, more than the model's context of {context}; lower the budget.");
        }

        int given = _prompt.Length + _question.Length;
        return given <= context ? Math.Min(_options.MaxTokens, context - given) : throw new RequestException(
            $"The prompt has {given} tokens, the model's context is {context}; shorten the prompt.");
    }

    // A window as long as the whole run never scores, so nothing is remembered for it; measuring takes the last query. A policy that reads
    // all queries of the prompt has those of the text since the last eviction when it evicts again.
    internal static int Queries(EvictionPolicy policy, int tokens, bool measures, bool evictsAgain)
    {
        int queries = !policy.NeedsAllQueries ? policy.Queries(tokens)
            : evictsAgain ? Math.Min(tokens, Math.Max(policy.Window, Math.Max(policy.Slack, 1))) : 0;
        return Math.Max(queries < tokens || policy.NeedsAllQueries ? queries : 0, measures ? 1 : 0);
    }

    internal static IEnumerable<int> Positions(Range range, int length)
    {
        int first = range.Start.GetOffset(length), end = range.End.GetOffset(length);
        return first >= 0 && first < end && end <= length ? Enumerable.Range(first, end - first) : throw new RequestException(
            $"The tokens to protect, {range}, are none of the prompt's {length}; give a range inside it.");
    }

    private IEnumerable<TextPiece> Run(Engine engine, KvCache cache, int maxTokens)
    {
        MemoryAccount memory = _model.Backend.Memory;
        memory.ResetPeaks();
        Stopwatch clock = Stopwatch.StartNew();
        engine.Protect(cache, 0, _options.Protect.SelectMany(range => Positions(range, _prompt.Length)));
        Statistics.Costs = engine.Prefill(
            cache, 0, _prompt, _options.Eviction, _question.Length + maxTokens, _options.PrefillProgress, _options.EvictEvery);
        if (_question.Length > 0)
        {
            engine.Follow(cache, 0, _question);
        }

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
