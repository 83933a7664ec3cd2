using KvIL.Eviction;

namespace KvIL.Conformance.Generators;

/// <summary>A store, scores of its rows, and what to keep.</summary>
/// <param name="Store">The store; its <c>Window</c> is the number of protected last rows too.</param>
/// <param name="Sequence">Sequence evicted.</param>
/// <param name="Sinks">Protected first rows.</param>
/// <param name="Percent">Total to keep, in percent of the rows held, before the protected rows are counted.</param>
/// <param name="Rule">How heads share the total.</param>
/// <param name="FloorShare">Share of a blend or a floor, in percent.</param>
/// <param name="Scores">What the scores hold.</param>
/// <param name="Pool">How scores are pooled.</param>
/// <param name="Kernel">Rows pooled.</param>
/// <param name="Slack">Free rows behind the kept ones.</param>
/// <param name="ExtraColumns">Columns of the scores beyond the longest run.</param>
public sealed record EvictionCase(
    StoreCase Store,
    int Sequence,
    int Sinks,
    int Percent,
    HeadAllocation Rule,
    int FloorShare,
    ValueKind Scores,
    PoolKind Pool,
    int Kernel,
    int Slack,
    int ExtraColumns) : ICase<EvictionCase>
{
    // Beyond a run's end no score counts, however good it looks.
    private const double Bait = 1e30;

    /// <summary>Protected last rows.</summary>
    internal int Window => Store.Window;

    /// <summary>Tokens that the sequence has seen, at least a window of them.</summary>
    internal int Seen => Math.Max(Store.Seen(Sequence), Window);

    /// <summary>The share as an exact fraction.</summary>
    internal Ratio Share => new(FloorShare, 100);

    /// <summary>Rows of each head's run of the sequence.</summary>
    internal int[] Lengths => [.. Enumerable.Range(Sequence * Store.KvHeads, Store.KvHeads).Select(Store.RunLength)];

    /// <summary>Columns of the scores.</summary>
    internal int Columns => Math.Max(1, Lengths.Max() + ExtraColumns);

    /// <summary>Rows that are never dropped, over all heads.</summary>
    internal int Protected => Lengths.Sum(length => Math.Min(length, Sinks + Window));

    /// <summary>Rows to keep over all heads, at least the protected ones; may exceed the rows held.</summary>
    internal int Total => Math.Max(Protected, Lengths.Sum() * Percent / 100);

    /// <summary>Rows that stay: entries of the row list.</summary>
    internal int Kept => Math.Min(Total, Lengths.Sum());

    /// <inheritdoc/>
    public static EvictionCase Generate(Random random)
    {
        StoreCase store = StoreCase.Generate(random);
        return new(
            store,
            random.Next(store.Sequences),
            random.Of(0, 0, 1, 4),
            random.Of(0, 10, 20, 33, 50, 75, 90, 100, 110),
            random.Of(HeadAllocation.Uniform, HeadAllocation.Pure, HeadAllocation.Blend, HeadAllocation.Floor, HeadAllocation.Mask),
            random.Of(0, 5, 20, 50, 90, 100),
            random.Of(ValueKind.Normal, ValueKind.Ties, ValueKind.Specials),
            random.Of(PoolKind.Max, PoolKind.Avg),
            random.Of(1, 3, 5, 7, 13),
            random.Of(0, 1, 5),
            random.Of(0, 1, 3));
    }

    /// <inheritdoc/>
    public IEnumerable<EvictionCase> Shrink()
    {
        foreach (StoreCase smaller in Store.Shrink())
        {
            if (Sequence < smaller.Sequences) yield return this with { Store = smaller };
        }

        if (Sequence > 0) yield return this with { Sequence = 0 };
        if (Sinks > 0) yield return this with { Sinks = Sinks - 1 };
        if (Kernel > 1) yield return this with { Kernel = 1 };
        if (Slack > 0) yield return this with { Slack = 0 };
        if (ExtraColumns > 0) yield return this with { ExtraColumns = 0 };
    }

    /// <summary>F32 <c>[heads, columns]</c> for any number of heads that the store's KV heads divide.</summary>
    public HostTensor ScoreRows(int heads, int stream = 20)
    {
        int columns = Columns;
        int[] lengths = Lengths;
        double[] scores = Draw.Values(Store.Seed, stream, heads * columns, Scores);
        for (int i = 0; i < scores.Length; i++)
        {
            if (i % columns >= lengths[i / columns * Store.KvHeads / heads]) scores[i] = Bait;
        }

        return HostTensor.F32(scores, heads, columns);
    }
}
