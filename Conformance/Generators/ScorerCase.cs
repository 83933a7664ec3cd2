namespace KvIL.Conformance.Generators;

/// <summary>A layer for a scorer of one's own: heads of one length, some last queries, protected rows.</summary>
/// <param name="KvHeads">KV heads.</param>
/// <param name="Group">Query heads for each.</param>
/// <param name="Length">T.</param>
/// <param name="Queries">Queries at hand.</param>
/// <param name="Sinks">First rows that are always kept.</param>
/// <param name="Window">Last rows that are always kept.</param>
/// <param name="Special">Whether some keys and values are not finite.</param>
/// <param name="Seed">Seed of the data.</param>
public sealed record ScorerCase(int KvHeads, int Group, int Length, int Queries, int Sinks, int Window, bool Special, int Seed) : ICase<ScorerCase>
{
    internal const int HeadDim = 4, Width = 3;

    /// <inheritdoc/>
    public static ScorerCase Generate(Random random) => new(
        random.Next(1, 4), random.Of(1, 2), random.Next(1, 20), random.Next(1, 5), random.Next(0, 4), random.Next(0, 5), random.Next(4) == 0, random.Next());

    /// <inheritdoc/>
    public IEnumerable<ScorerCase> Shrink()
    {
        if (KvHeads > 1) yield return this with { KvHeads = KvHeads - 1 };
        if (Group > 1) yield return this with { Group = 1 };
        if (Length > 1) yield return this with { Length = Length - 1 };
        if (Queries > 1) yield return this with { Queries = 1 };
        if (Sinks > 0) yield return this with { Sinks = 0 };
        if (Window > 0) yield return this with { Window = 0 };
        if (Special) yield return this with { Special = false };
    }

    /// <summary>Rows of one head of one tensor, <c>[rows, d]</c>.</summary>
    internal float[] Rows(int tensor, int head, int rows) => [.. Draw.Values(
        Seed, (100 * tensor) + head, rows * HeadDim, Special && tensor < 3 ? ValueKind.Specials : ValueKind.Normal).Select(x => (float)x)];
}
