using KvIL.Eviction;
using KvIL.Inference.Generation;

namespace KvIL.Cli.Commands;

/// <summary>What <c>kvil run --json</c> prints.</summary>
internal sealed record RunResult
{
    public required string Text { get; init; }

    public required int PromptTokens { get; init; }

    public required int GeneratedTokens { get; init; }

    public required IReadOnlyList<int> Ids { get; init; }

    public required RunSeconds Seconds { get; init; }

    public required RunRates TokensPerSecond { get; init; }

    public required long WeightBytes { get; init; }

    public required KvBytes KvBytes { get; init; }

    public required string Policy { get; init; }

    public required string Budget { get; init; }

    public required StopReason Stop { get; init; }

    public static RunResult Of(
        string text, IReadOnlyList<int> ids, GenerationStatistics s, TimeSpan load, EvictionPolicy policy, string? evict) => new()
    {
        Text = text,
        PromptTokens = s.PromptTokens,
        GeneratedTokens = s.GeneratedTokens,
        Ids = ids,
        Seconds = new(load.TotalSeconds, s.PrefillTime.TotalSeconds, s.DecodeTime.TotalSeconds),
        TokensPerSecond = new(s.PrefillRate, s.DecodeRate),
        WeightBytes = s.WeightBytes,
        KvBytes = new(s.KvPeakBytes, s.KvHeldBytes, s.KvRowBytes, s.KvFullBytes),
        Policy = evict ?? policy.Name,
        Budget = RunSummary.BudgetOf(policy),
        Stop = s.StopReason,
    };
}

/// <summary>Times in seconds.</summary>
internal sealed record RunSeconds(double Load, double Prefill, double Decode);

/// <summary>Tokens per second.</summary>
internal sealed record RunRates(double Prefill, double Decode);

/// <summary>Bytes of cache: the most at once, held at the end, of the rows alone at the end, and of a full cache.</summary>
internal sealed record KvBytes(long Peak, long Held, long Rows, long Full);
