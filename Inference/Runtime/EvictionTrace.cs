using System.Collections.Immutable;

namespace KvIL.Inference.Runtime;

/// <summary>What an eviction saw and decided in one store.</summary>
/// <param name="Store">The store.</param>
/// <param name="Readers">The layers that read it.</param>
/// <param name="Sinks">Rows at the start of each head that were kept whatever their score.</param>
/// <param name="Window">Rows at the end of each head that were kept whatever their score.</param>
/// <param name="ByScore">Whether the policy's scores ranked the rows; else their positions did.</param>
/// <param name="Scores">By KV head, the score of each row; those of protected rows do not matter.</param>
/// <param name="Positions">By KV head, the position of each row before.</param>
/// <param name="Kept">By KV head, the rows kept, ascending.</param>
public sealed record EvictionTrace(
    int Store, ImmutableArray<int> Readers, int Sinks, int Window, bool ByScore, float[][] Scores, int[][] Positions, int[][] Kept)
{
    /// <summary>By KV head, the scores by which rows were split over the heads: <see cref="Scores"/>, unless the policy compares heads by others.</summary>
    public float[][] Compared { get; init; } = Scores;
}
