using System.Collections.Immutable;

namespace KvIL.Conformance.Laws;

/// <summary>Every law of the backends.</summary>
public static class LawCatalogue
{
    /// <summary>Laws of the ops that every backend has, those of the transformer first.</summary>
    public static ImmutableArray<Law> EveryBackend { get; } =
    [
        EmbedLaws.Copies,
        RmsNormLaws.Agrees,
        RmsNormLaws.Groups,
        LinearLaws.Agrees,
        LinearLaws.BatchEqualsAlone,
        QuantizedLaws.LinearAgrees,
        QuantizedLaws.EmbedIsExact,
        RotationLaws.Agrees,
        RopeLaws.Agrees,
        AddLaws.Agrees,
        SwiGluLaws.Agrees,
        GeGluLaws.Agrees,
        ScaleLaws.Agrees,
        ScaleLaws.Capped,
        GatherRowsLaws.Copies,
        AppendLaws.Exact,
        AppendLaws.Full,
        AppendLaws.BatchEqualsAlone,
        ReplaceRowsLaws.Exact,
        ReplaceRowsLaws.AppendedTwice,
        ReplaceRowsLaws.Change,
        AttendLaws.Agrees,
        AttendLaws.BatchEqualsAlone,
        RememberQueriesLaws.Exact,
        SplitLaws.SplitInvariance,
        WindowScoresLaws.Agrees,
        RecencyScoresLaws.Exact,
        GroupMeanLaws.Agrees,
        PoolLaws.Agrees,
        MaximumLaws.Exact,
        AllocateHeadsLaws.Exact,
        AllocateHeadsLaws.TotalIsExact,
        AllocateHeadsLaws.Limits,
        AllocateHeadsLaws.Monotone,
        AllocateHeadsLaws.Masked,
        SelectRowsLaws.Exact,
        SelectRowsLaws.KeepsTheBest,
        CompactLaws.Exact,
        CompactLaws.EvictedAttention,
        EvictionLossLaws.Agrees,
        EvictionLossLaws.Ordered,
        EvictionLossLaws.IsTheChangeOfTheOutput,
    ];

    /// <summary>Laws of the ops that only some models need, and that the CPU backend has.</summary>
    public static ImmutableArray<Law> CpuOps { get; } =
    [
        RmsNormLaws.Unit,
        ScaleLaws.Gains,
        AttendLaws.PlainKeys,
        StreamLaws.Columns,
        StreamLaws.Concatenate,
        StreamLaws.Mix,
        StreamLaws.MatchRms,
        StreamLaws.Sparsify,
        StreamLaws.KnownTokens,
    ];

    /// <summary>Laws of the host ops, which run where a backend runs C# on the CPU.</summary>
    public static ImmutableArray<Law> HostOps { get; } =
    [
        .. ScoreRowsLaws.Agree,
        ScoreRowsLaws.HostScoreSees,
        PartScoresLaws.Pieces,
        PartScoresLaws.Blocks,
        RankingLaws.Weighs,
        RankingLaws.ScalesByMass,
        RankingLaws.TwoStages,
        RankingLaws.Chunks,
        RankingLaws.Protects,
        RankingLaws.Prefers,
        RerotateLaws.Agrees,
        RerotateLaws.KeepsLogits,
    ];

    /// <summary>All laws.</summary>
    public static ImmutableArray<Law> All { get; } = [.. EveryBackend, .. CpuOps, .. HostOps];
}
