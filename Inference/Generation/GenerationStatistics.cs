using KvIL.Inference.Runtime;

namespace KvIL.Inference.Generation;

/// <summary>Times, bytes and costs of one generation.</summary>
/// <param name="promptTokens">Tokens of the prompt.</param>
public sealed class GenerationStatistics(int promptTokens)
{
    /// <summary>Tokens of the prompt.</summary>
    public int PromptTokens { get; } = promptTokens;

    /// <summary>Tokens generated, end tokens not counted.</summary>
    public int GeneratedTokens { get; internal set; }

    /// <summary>Time of the prompt, eviction included.</summary>
    public TimeSpan PrefillTime { get; internal set; }

    /// <summary>Time of all passes after the prompt; the first token comes from the prompt's.</summary>
    public TimeSpan DecodeTime { get; internal set; }

    /// <summary>Prompt tokens per second.</summary>
    public double PrefillRate => PrefillTime > TimeSpan.Zero ? PromptTokens / PrefillTime.TotalSeconds : 0;

    /// <summary>Generated tokens per second, the first not counted.</summary>
    public double DecodeRate => DecodeTime > TimeSpan.Zero ? (GeneratedTokens - 1) / DecodeTime.TotalSeconds : 0;

    /// <summary>Bytes of the weights, as stored.</summary>
    public long WeightBytes { get; internal set; }

    /// <summary>Most bytes of cache held at once, transients of compaction included.</summary>
    public long KvPeakBytes { get; internal set; }

    /// <summary>Bytes of cache held at the end, free capacity and remembered queries included.</summary>
    public long KvHeldBytes { get; internal set; }

    /// <summary>Bytes of the rows alone that are held at the end.</summary>
    public long KvRowBytes { get; internal set; }

    /// <summary>Bytes that a full cache takes in the same run.</summary>
    public long KvFullBytes { get; internal set; }

    /// <summary>Most bytes of scratch and activations.</summary>
    public long ScratchBytes { get; internal set; }

    /// <summary>What evicting the prompt cost each layer's last query; empty unless measured.</summary>
    public IReadOnlyList<EvictionCost> Costs { get; internal set; } = [];

    /// <summary>Why the text ended.</summary>
    public StopReason StopReason { get; internal set; }
}
