using KvIL.Conformance.Theorems;

namespace KvIL.Conformance.Generators;

/// <summary>A ragged store, rows that come to it, rows that are kept of it, and a query.</summary>
/// <param name="KvHeads">KV heads.</param>
/// <param name="Group">Query heads for each.</param>
/// <param name="HeadDim">d.</param>
/// <param name="Most">Most rows of a head.</param>
/// <param name="Added">Rows that are appended.</param>
/// <param name="Seed">Seed of lengths, positions and data.</param>
public sealed record RaggedCase(int KvHeads, int Group, int HeadDim, int Most, int Added, int Seed) : ICase<RaggedCase>
{
    /// <inheritdoc/>
    public static RaggedCase Generate(Random random) => new(
        random.Next(1, 5), random.Of(1, 2, 3), random.Of(1, 2, 4), random.Next(1, 12), random.Next(0, 5), random.Next());

    /// <inheritdoc/>
    public IEnumerable<RaggedCase> Shrink()
    {
        if (KvHeads > 1) yield return this with { KvHeads = KvHeads - 1 };
        if (Group > 1) yield return this with { Group = 1 };
        if (HeadDim > 1) yield return this with { HeadDim = 1 };
        if (Most > 1) yield return this with { Most = Most - 1 };
        if (Added > 0) yield return this with { Added = Added - 1 };
    }

    /// <summary>The store before.</summary>
    internal HeadRows Store() => Rows(h => Draw.Ascending(Seed, 10 + h, 1 + Draw.Integers(Seed, 20 + h, 1, Most)[0], 2 * Most), 1);

    /// <summary>What is appended, at positions behind all others.</summary>
    internal HeadRows Rows() => Rows(_ => [.. Enumerable.Range(2 * Most, Added)], 2);

    /// <summary>Some rows of each head, ascending; <paramref name="number"/> tells several such choices apart.</summary>
    internal int[][] Kept(int[] lengths, int number) =>
        [.. lengths.Select((n, h) => Draw.Ascending(Seed, 30 + (100 * number) + h, Draw.Integers(Seed, 60 + (100 * number) + h, 1, n + 1)[0], n))];

    /// <summary>One query for each query head.</summary>
    internal double[][] Queries() => [.. Enumerable.Range(0, KvHeads * Group).Select(i => Draw.Values(Seed, 5000 + i, HeadDim, ValueKind.Normal))];

    private HeadRows Rows(Func<int, int[]> positions, int stream)
    {
        int[][] p = [.. Enumerable.Range(0, KvHeads).Select(positions)];
        double[][] Data(int h, int which) => [.. p[h].Select((_, r) =>
            Draw.Values(Seed, 10_000 + (stream * 4000) + (which * 2000) + (h * 100) + r, HeadDim, ValueKind.Normal))];
        return new([.. p.Select((_, h) => Data(h, 0))], [.. p.Select((_, h) => Data(h, 1))], p);
    }
}
