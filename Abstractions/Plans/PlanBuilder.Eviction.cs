using KvIL.Eviction;
using KvIL.Ops;
using KvIL.Tensors;

namespace KvIL.Plans;

public sealed partial class PlanBuilder
{
    /// <inheritdoc cref="WindowScoresOp"/>
    /// <remarks><paramref name="length"/>: columns of the result: at least the rows of every run of the sequence.</remarks>
    public Slot WindowScores(Slot window, Slot store, Dim sequence, Dim tokens, Dim queries, Dim length, AttentionRule rule)
    {
        int heads = ExpectWindow(window, ExpectStore(store));
        Require(
            queries.Max <= window.Tensor.Shape[1].Max, $"expected at most {window.Tensor.Shape[1]} queries, got {queries.Max}.", nameof(queries));
        CheckRule(rule, nameof(rule));
        return Add(new WindowScoresOp(window, store, F32(heads, length), sequence, tokens, queries, rule));
    }

    /// <inheritdoc cref="RecencyScoresOp"/>
    /// <remarks><paramref name="length"/>: columns of the result: at least the rows of every run of the sequence.</remarks>
    public Slot RecencyScores(Slot store, Dim sequence, Dim length) =>
        Add(new RecencyScoresOp(store, F32(ExpectStore(store).NumKvHeads, length), sequence));

    /// <inheritdoc cref="GroupMeanOp"/>
    public Slot GroupMean(Slot x, int kvHeads)
    {
        (Dim heads, Dim length) = ExpectMatrix(x);
        Require(
            kvHeads > 0 && heads.Max % kvHeads == 0, $"expected a divisor of {heads} query heads, got {kvHeads}.", nameof(kvHeads));
        return Add(new GroupMeanOp(x, F32(kvHeads, length)));
    }

    /// <inheritdoc cref="PoolOp"/>
    public Slot Pool(Slot x, Slot store, Dim sequence, Dim window, PoolKind kind, int kernel)
    {
        (Dim heads, Dim length) = ExpectMatrix(x);
        Require(
            heads.Max % ExpectStore(store).NumKvHeads == 0,
            $"expected a multiple of {store.Store.NumKvHeads} KV heads, got {heads}.",
            nameof(x));
        Require(kernel > 0 && kernel % 2 == 1, $"expected an odd kernel, got {kernel}.", nameof(kernel));
        return Add(new PoolOp(x, store, F32(heads, length), sequence, window, kind, kernel));
    }

    /// <inheritdoc cref="MaximumOp"/>
    public Slot Maximum(Slot a, Slot b)
    {
        (Dim heads, Dim length) = ExpectMatrix(a);
        Expect(b, DType.F32, [heads, length]);
        return Add(new MaximumOp(a, b, F32(heads, length)));
    }

    /// <inheritdoc cref="AllocateHeadsOp"/>
    public Slot AllocateHeads(
        Slot scores, Slot store, Dim sequence, Dim total, Dim sinks, Dim window, HeadAllocation rule, Ratio floorShare)
    {
        int heads = ExpectScores(scores, store);
        Slot counts = NewSlot("", new TensorSpec(DType.I32, heads));
        return Add(new AllocateHeadsOp(scores, store, counts, sequence, total, sinks, window, rule, floorShare));
    }

    /// <inheritdoc cref="SelectRowsOp"/>
    /// <remarks><paramref name="total"/>: entries of the result: the total that the counts divide.</remarks>
    public Slot SelectRows(Slot scores, Slot counts, Slot store, Dim sequence, Dim total, Dim sinks, Dim window)
    {
        Expect(counts, DType.I32, [ExpectScores(scores, store)]);
        Slot rows = NewSlot("", new TensorSpec(DType.I32, total));
        return Add(new SelectRowsOp(scores, counts, store, rows, sequence, sinks, window));
    }

    /// <inheritdoc cref="CompactOp"/>
    public Slot Compact(Slot store, Slot counts, Slot rows, Dim sequence, Dim slack)
    {
        StoreSpec spec = ExpectStore(store);
        Expect(counts, DType.I32, [spec.NumKvHeads]);
        ExpectIndices(rows, nameof(rows));
        return Add(new CompactOp(store, counts, rows, NewSlot("compacted", spec), sequence, slack));
    }

    /// <inheritdoc cref="EvictionLossOp"/>
    public Slot EvictionLoss(
        Slot window, Slot store, Slot counts, Slot rows, Slot outputProjection, Dim sequence, Dim tokens, AttentionRule rule)
    {
        ArgumentNullException.ThrowIfNull(outputProjection);
        StoreSpec spec = ExpectStore(store);
        int heads = ExpectWindow(window, spec);
        Expect(counts, DType.I32, [spec.NumKvHeads]);
        ExpectIndices(rows, nameof(rows));
        ExpectStored(outputProjection, [outputProjection.Tensor.Shape[0], heads * spec.HeadDim]);
        CheckRule(rule, nameof(rule));
        return Add(new EvictionLossOp(window, store, counts, rows, outputProjection, F32(4), sequence, tokens, rule));
    }

    private static int ExpectWindow(Slot window, StoreSpec store)
    {
        ArgumentNullException.ThrowIfNull(window);
        Require(
            window.Spec is TensorSpec { Type: DType.F32, Shape.Rank: 3 },
            $"expected F32[sequences, window, query_heads x head_dim], got {window.Spec}.",
            nameof(window));
        return ExpectQueryHeads(store, window.Tensor.Shape[2].Max, nameof(window));
    }

    private static int ExpectScores(Slot scores, Slot store)
    {
        int heads = ExpectStore(store).NumKvHeads;
        Expect(scores, DType.F32, [heads, ExpectMatrix(scores).Width]);
        return heads;
    }
}
