using KvIL.Eviction;
using KvIL.Eviction.Scores;
using KvIL.Ops;
using KvIL.Tensors;

namespace KvIL.Plans;

public sealed partial class PlanBuilder
{
    /// <inheritdoc cref="ScoreRowsOp"/>
    /// <remarks><paramref name="length"/>: columns of the result: at least the rows of every run of the sequence.</remarks>
    public Slot ScoreRows(
        ScoreRule rule, Slot store, Slot? window, Slot? outputProjection, Dim sequence, Dim tokens, Dim queries, Dim length, Dim sinks,
        Dim protectedRows, AttentionRule attention, Rotary rotary, Slot? counts = null)
    {
        ArgumentNullException.ThrowIfNull(rule);
        ArgumentNullException.ThrowIfNull(rotary);
        StoreSpec spec = ExpectStore(store);
        Require((counts is not null) == (rule is BlocksScore), $"expected the rows that each head keeps where a rule depends on them, and {rule} does{(rule is BlocksScore ? "" : " not")}.", nameof(counts));
        if (counts is not null) Expect(counts, DType.I32, [spec.NumKvHeads]);
        Require(!NeedsQueries(rule.Needs) || window is not null, $"expected queries, which {rule} needs.", nameof(window));
        Require(
            (rule.Needs & ScoreNeeds.OutputProjection) == 0 || (outputProjection is not null && window is not null),
            $"expected the output projection, which {rule} needs.", nameof(outputProjection));
        if (window is not null)
        {
            int heads = ExpectWindow(window, spec);
            Require(queries.Max <= window.Tensor.Shape[1].Max, $"expected at most {window.Tensor.Shape[1]} queries, got {queries.Max}.", nameof(queries));
            if (outputProjection is not null) ExpectProjection(outputProjection, heads, spec);
        }

        Require(rotary.Frequencies.Length * 2 <= spec.HeadDim, $"expected at most {spec.HeadDim / 2} frequencies, got {rotary.Frequencies.Length}.", nameof(rotary));
        CheckRule(attention, nameof(attention));
        return Add(new ScoreRowsOp(
            rule, store, NeedsQueries(rule.Needs) || outputProjection is not null ? window : null, outputProjection, F32(spec.NumKvHeads, length), sequence, tokens, queries, sinks, protectedRows,
            attention, rotary, counts));
    }

    /// <inheritdoc cref="WeighHeadsOp"/>
    public Slot WeighHeads(Slot x, Slot store, Slot outputProjection, Dim sequence)
    {
        (Dim heads, Dim length) = ExpectMatrix(x);
        ExpectProjection(outputProjection, heads.Max, ExpectStore(store));
        return Add(new WeighHeadsOp(x, store, outputProjection, F32(heads, length), sequence));
    }

    /// <inheritdoc cref="ScaleByMassOp"/>
    public Slot ScaleByMass(Slot x, Slot store, Dim sequence, Dim total, Dim sinks, Dim window) =>
        Add(new ScaleByMassOp(x, store, F32(ExpectScores(x, store), ExpectMatrix(x).Width), sequence, total, sinks, window));

    /// <inheritdoc cref="TwoStageScoresOp"/>
    public Slot TwoStageScores(Slot x, Slot counts, Slot store, Slot outputProjection, Dim sequence, Dim sinks, Dim window, Ratio epsilon, Dim total, Ratio promised)
    {
        ArgumentNullException.ThrowIfNull(outputProjection);
        int heads = ExpectScores(x, store);
        Expect(counts, DType.I32, [heads]);
        ExpectProjection(outputProjection, outputProjection.Tensor.Shape[1].Max / store.Store.HeadDim, store.Store);
        return Add(new TwoStageScoresOp(x, counts, store, outputProjection, F32(heads, ExpectMatrix(x).Width), sequence, sinks, window, epsilon, total, promised));
    }

    /// <inheritdoc cref="ChunkScoresOp"/>
    public Slot ChunkScores(Slot x, Slot store, Dim sequence, Dim sinks, Dim window, int chunk)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(chunk, 1);
        return Add(new ChunkScoresOp(x, store, F32(ExpectScores(x, store), ExpectMatrix(x).Width), sequence, sinks, window, chunk));
    }

    /// <inheritdoc cref="ProtectRowsOp"/>
    public Slot ProtectRows(Slot x, Slot store, Slot positions, Dim sequence)
    {
        ExpectIndices(positions, nameof(positions));
        return Add(new ProtectRowsOp(x, store, positions, F32(ExpectScores(x, store), ExpectMatrix(x).Width), sequence));
    }

    /// <inheritdoc cref="RerotateOp"/>
    public Slot Rerotate(Slot store, Dim sequence, Rotary rotary)
    {
        ArgumentNullException.ThrowIfNull(rotary);
        Require(rotary.Frequencies.Length * 2 <= ExpectStore(store).HeadDim, $"expected at most {store.Store.HeadDim / 2} frequencies, got {rotary.Frequencies.Length}.", nameof(rotary));
        return Add(new RerotateOp(store, NextVersion(store), sequence, rotary));
    }

    /// <inheritdoc cref="LayerPreferenceOp"/>
    public Slot LayerPreference(Slot window, Slot store, Dim sequence, Dim tokens, Dim queries, AttentionRule attention)
    {
        ExpectWindow(window, ExpectStore(store));
        Require(
            queries.Max <= window.Tensor.Shape[1].Max, $"expected at most {window.Tensor.Shape[1]} queries, got {queries.Max}.", nameof(queries));
        CheckRule(attention, nameof(attention));
        return Add(new LayerPreferenceOp(window, store, F32(1), sequence, tokens, queries, attention));
    }

    private static bool NeedsQueries(ScoreNeeds needs) =>
        (needs & (ScoreNeeds.WindowQueries | ScoreNeeds.LastRow | ScoreNeeds.ColumnSums | ScoreNeeds.Queries | ScoreNeeds.PreRopeQueries)) != 0;

    // W^O for query heads of a store.
    private static void ExpectProjection(Slot outputProjection, int queryHeads, StoreSpec store)
    {
        ArgumentNullException.ThrowIfNull(outputProjection);
        Require(queryHeads > 0 && queryHeads % store.NumKvHeads == 0, $"expected a multiple of {store.NumKvHeads} KV heads, got {queryHeads}.", nameof(queryHeads));
        ExpectStored(outputProjection, [outputProjection.Tensor.Shape[0], queryHeads * store.HeadDim]);
    }
}
