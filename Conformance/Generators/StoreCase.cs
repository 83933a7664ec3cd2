using KvIL.Ops;
using KvIL.Tensors;

namespace KvIL.Conformance.Generators;

/// <summary>A store of several sequences, and tokens that come to it.</summary>
/// <param name="Sequences">Sequences; the first one has <paramref name="Length"/> rows, others up to that.</param>
/// <param name="KvHeads">KV heads.</param>
/// <param name="Group">Query heads for each KV head.</param>
/// <param name="HeadDim">Channels of a head.</param>
/// <param name="Length">Most rows of a run.</param>
/// <param name="Ragged">Whether the heads of a sequence have different lengths and gaps in their positions, as after an eviction.</param>
/// <param name="RowType">F32 or F16.</param>
/// <param name="Tokens">New tokens of each sequence.</param>
/// <param name="Window">Queries remembered.</param>
/// <param name="Queries">What the queries hold: large ones make attention nearly one-hot.</param>
/// <param name="Seed">Seed of lengths, positions and data.</param>
public sealed record StoreCase(
    int Sequences, int KvHeads, int Group, int HeadDim, int Length, bool Ragged, DType RowType, int Tokens, int Window, ValueKind Queries, int Seed)
    : ICase<StoreCase>
{
    private const int Gap = 2;

    /// <summary>Query heads.</summary>
    internal int QueryHeads => KvHeads * Group;

    /// <summary>New tokens of all sequences.</summary>
    internal int N => Sequences * Tokens;

    /// <summary>Sliding window of attention; null for none.</summary>
    public int? Sees { get; init; }

    /// <summary>Soft cap of attention's logits; null for none.</summary>
    public float? Cap { get; init; }

    /// <summary>Whether queries see only rows before their own.</summary>
    public bool Past { get; init; }

    /// <summary>1/√head_dim, with the window, the soft cap and what is past.</summary>
    internal AttentionRule Rule => new(1 / MathF.Sqrt(HeadDim), Sees, Cap, Past);

    private StoreSpec Spec => new(Sequences, KvHeads, HeadDim, RowType, 0);

    /// <inheritdoc/>
    public static StoreCase Generate(Random random)
    {
        StoreCase plain = Plain(random);
        Random rule = new(plain.Seed); // a stream of its own
        return plain with
        {
            Sees = rule.Of<int?>(null, null, null, 1, 2, 3, 17, 33, 70),
            Cap = rule.Of<float?>(null, null, 0.7f, 4, 50),
            Past = rule.Of(false, false, true),
        };
    }

    private static StoreCase Plain(Random random) => new(
        random.Of(1, 1, 2, 3),
        random.Of(1, 2, 3, 4),
        random.Of(1, 2, 3, 4),
        random.HeadDim(),
        random.Length(),
        random.Of(false, true),
        random.Of(DType.F32, DType.F16),
        random.Of(1, 2, 3, 5, 9),
        random.Of(1, 2, 4, 8),
        random.Of(ValueKind.Normal, ValueKind.Large, ValueKind.Ties),
        random.Next());

    /// <inheritdoc/>
    public IEnumerable<StoreCase> Shrink()
    {
        if (Sequences > 1) yield return this with { Sequences = Sequences - 1 };
        if (Length > 0) yield return this with { Length = Length / 2 };
        if (Length > 0) yield return this with { Length = Length - 1 };
        if (KvHeads > 1) yield return this with { KvHeads = KvHeads - 1 };
        if (Group > 1) yield return this with { Group = 1 };
        if (HeadDim > 2) yield return this with { HeadDim = 2 };
        if (Tokens > 1) yield return this with { Tokens = 1 };
        if (Window > 1) yield return this with { Window = 1 };
        if (Sees is not null) yield return this with { Sees = null };
        if (Cap is not null) yield return this with { Cap = null };
        if (Past) yield return this with { Past = false };
        if (Ragged) yield return this with { Ragged = false };
        if (RowType != DType.F32) yield return this with { RowType = DType.F32 };
    }

    /// <summary>Tokens that a sequence has seen: the next position.</summary>
    public int Seen(int sequence) => SequenceLength(sequence) + (Ragged ? Window + 3 : 0);

    /// <summary>The store before the new tokens. Runs are apart, and have room for the tokens and one more; free rows hold NaN.</summary>
    public HostStore Store()
    {
        int[] lengths = [.. Enumerable.Range(0, Spec.Runs).Select(RunLength)];
        int[] capacities = [.. lengths.Select(length => length + Tokens + 1)];
        long rows = capacities.Sum(c => (long)c + Gap) + Gap;
        HostStore store = HostStore.Unwritten(Spec, rows) with { Lengths = lengths, Capacities = capacities };
        long start = Gap;
        for (int run = 0; run < Spec.Runs; run++)
        {
            store.Starts[run] = start;
            Positions(run, lengths[run]).CopyTo(store.Positions, start);
            RowData(run, 0, lengths[run]).CopyTo(store.Keys, start * HeadDim);
            RowData(run, 1, lengths[run]).CopyTo(store.Values, start * HeadDim);
            start += capacities[run] + Gap;
        }

        return store;
    }

    /// <summary>I32 <c>[n]</c>: positions of the new tokens, sequence after sequence.</summary>
    public HostTensor NewPositions() => HostTensor.I32(
        [.. Enumerable.Range(0, Sequences).SelectMany(s => Enumerable.Range(Seen(s), Tokens))]);

    /// <summary>I32 <c>[n]</c>: any positions, some before the first row, ascending within a sequence.</summary>
    public HostTensor AnyPositions() => HostTensor.I32(
        [.. Enumerable.Range(0, Sequences).SelectMany(s => Draw.Ascending(Seed, 100 + s, Tokens, Seen(s) + Tokens))]);

    /// <summary>I32 <c>[n]</c>: sequences of the new tokens.</summary>
    public HostTensor NewSequences() => HostTensor.I32(
        [.. Enumerable.Range(0, Sequences).SelectMany(s => Enumerable.Repeat(s, Tokens))]);

    /// <summary>F32 <c>[n, kv_heads · head_dim]</c>: new keys (0) or values (1).</summary>
    public HostTensor NewRows(int which) => HostTensor.F32(
        Draw.Values(Seed, 10 + which, N * KvHeads * HeadDim, ValueKind.Normal), N, KvHeads * HeadDim);

    /// <summary>F32 <c>[n, query_heads · head_dim]</c>.</summary>
    public HostTensor NewQueries() => HostTensor.F32(
        Draw.Values(Seed, 12, N * QueryHeads * HeadDim, Queries), N, QueryHeads * HeadDim);

    /// <summary>F32 <c>[sequences, w, query_heads · head_dim]</c>.</summary>
    public HostTensor QueryWindow() => HostTensor.F32(
        Draw.Values(Seed, 13, Sequences * Window * QueryHeads * HeadDim, Queries), Sequences, Window, QueryHeads * HeadDim);

    private int SequenceLength(int sequence) => sequence == 0 ? Length : Draw.Integers(Seed, 200 + sequence, 1, Length + 1)[0];

    /// <summary>Rows of a run.</summary>
    internal int RunLength(int run)
    {
        int length = SequenceLength(run / KvHeads);
        return Ragged ? Draw.Integers(Seed, 300 + run, 1, length + 1)[0] : length;
    }

    private int[] Positions(int run, int length) => Draw.Ascending(Seed, 400 + run, length, Seen(run / KvHeads));

    private double[] RowData(int run, int which, int length)
    {
        double[] values = Draw.Values(Seed, 500 + (2 * run) + which, length * HeadDim, ValueKind.Normal);
        return [.. values.Select(x => Numbers.Round((float)x, RowType))];
    }
}
