using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Inference.Runtime;

/// <summary>What an engine is compiled for.</summary>
public sealed record EngineOptions
{
    /// <summary>Sequences in a batch.</summary>
    public int Sequences { get; init; } = 1;

    /// <summary>Most tokens of one pass; longer input is split.</summary>
    public int Chunk { get; init; } = 512;

    /// <summary>Most tokens of a sequence, prompt and continuation; 0 takes the model's context.</summary>
    public int MaxTokens { get; init; }

    /// <summary>Whether <see cref="MaxTokens"/> may be above the model's context, where texts are not what it was made for.</summary>
    public bool BeyondContext { get; init; }

    /// <summary>Element type of cached keys and values: F16 or F32.</summary>
    public DType RowType { get; init; } = DType.F16;

    /// <summary>Queries remembered per layer and sequence, for policies that score by attention; 0 remembers none.</summary>
    public int Window { get; init; }

    /// <summary>Whether a prompt that goes layer by layer leaves all its queries to the score of each layer in turn: for policies that read them all.</summary>
    public bool RemembersPrompt { get; init; }

    /// <summary>How a prompt goes through the cyclic slices of a sharing map.</summary>
    public PrefillStrategy Prefill { get; init; } = PrefillStrategy.Default;

    /// <summary>Most rows of logits that one call gives.</summary>
    public int MaxLogitRows { get; init; } = 1;

    /// <summary>Whether rows stay that no layer sees any more, because every reader's window has passed them.</summary>
    public bool KeepsHiddenRows { get; init; }

    /// <summary>Whether layers above the last one that writes a store run only for the tokens whose logits or queries are needed (YOCO, Sun et al. 2024, arXiv:2405.05254, §2.3).</summary>
    public bool FastPrefill { get; init; } = true;

    /// <summary>Whether evictions also compute their loss and its bounds.</summary>
    public bool MeasureLoss { get; init; }

    /// <summary>Whether evictions also give scores and kept rows to the host.</summary>
    public bool Trace { get; init; }
}
