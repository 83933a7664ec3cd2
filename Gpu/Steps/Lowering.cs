using KvIL.Eviction;
using KvIL.Gpu.Kernels;
using KvIL.Gpu.Memory;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Gpu.Steps;

/// <summary>Which step stands for an op, and with which element types.</summary>
internal static class Lowering
{
    /// <summary>Whether there is a step for an op.</summary>
    public static bool Supports(Op op) => op switch
    {
        EmbedOp or RmsNormOp or LinearOp or RotationOp or RopeOp or AddOp or SwiGluOp or GeGluOp or ScaleOp or SoftCapOp or GatherRowsOp => true,
        AppendOp or ReplaceRowsOp or RowChangeOp or RememberQueriesOp => true,
        WindowScoresOp or RecencyScoresOp or GroupMeanOp or PoolOp or MaximumOp => true,
        AllocateHeadsOp o => Fits(o),
        SelectRowsOp or CompactOp => true,
        AttendOp o => o.Store.Store.HeadDim <= LargestHeadDim,
        EvictionLossOp o => o.Store.Store.HeadDim <= LossLayout.MaxHeadDim,
        _ => false,
    };

    // All lanes' queries and outputs lie in shared memory, one lane's at least.
    private static int LargestHeadDim => Attend<F32, float>.MaxChannels;

    /// <summary>The step of an op that <see cref="Supports"/> accepts.</summary>
    public static Step Lower(Op op, Heap heap) => op switch
    {
        EmbedOp o => LowerWeight(new EmbedStep.Maker(o), o.Table, heap),
        RmsNormOp o => LowerWeight(new RmsNormStep.Maker(o), o.Weight, heap),
        LinearOp o => LowerWeight(new LinearStep.Maker(o), o.Weight, heap),
        RotationOp o => new RotationStep(o, heap),
        RopeOp o => new RopeStep(o, heap),
        AddOp o => new ElementwiseStep<Add>(o.A, o.B, o.Y, heap),
        SwiGluOp o => new ElementwiseStep<SwiGlu>(o.Gate, o.Up, o.Y, heap),
        GeGluOp o => new ElementwiseStep<GeGlu>(o.Gate, o.Up, o.Y, heap),
        ScaleOp o => new ElementwiseStep<Scale>(o.X, o.X, o.Y, heap, o.Factor),
        SoftCapOp o => new ElementwiseStep<SoftCap>(o.X, o.X, o.Y, heap, o.Cap),
        MaximumOp o => new ElementwiseStep<Maximum>(o.A, o.B, o.Y, heap),
        GatherRowsOp o => new EmbedStep<F32, float>(o.X, o.Rows, o.Y, heap),
        AppendOp o => HasHalfRows(o.Store) ? new AppendStep<F16, Half>(o, heap) : new AppendStep<F32, float>(o, heap),
        ReplaceRowsOp o => HasHalfRows(o.Store) ? new ReplaceRowsStep<F16, Half>(o, heap) : new ReplaceRowsStep<F32, float>(o, heap),
        RowChangeOp o => HasHalfRows(o.Store) ? new RowChangeStep<F16, Half>(o, heap) : new RowChangeStep<F32, float>(o, heap),
        RememberQueriesOp o => new RememberQueriesStep(o, heap),
        AttendOp o => HasHalfRows(o.Store) ? new AttendStep<F16, Half>(o, heap) : new AttendStep<F32, float>(o, heap),
        WindowScoresOp o => HasHalfRows(o.Store) ? new WindowScoresStep<F16, Half>(o, heap) : new WindowScoresStep<F32, float>(o, heap),
        RecencyScoresOp o => new RecencyScoresStep(o, heap),
        GroupMeanOp o => new GroupMeanStep(o, heap),
        PoolOp { Kind: PoolKind.Max } o => new PoolStep<Largest>(o, heap),
        PoolOp o => new PoolStep<Average>(o, heap),
        AllocateHeadsOp o => new AllocateHeadsStep(o, heap),
        SelectRowsOp o => new SelectRowsStep(o, heap),
        CompactOp o => HasHalfRows(o.Store) ? new CompactStep<Half>(o, heap) : new CompactStep<float>(o, heap),
        EvictionLossOp o => LowerWeight(new EvictionLossStep.Maker(o), o.OutputProjection, heap),
        _ => throw new NotSupportedException($"{op.Name} is not supported."),
    };

    /// <summary>Whether a store's keys and values are F16; else F32.</summary>
    public static bool HasHalfRows(Slot store) => store.Store.RowType == DType.F16;

    // The remainders of a blend, and what a floor reserves, are products of heads, rows and the share's denominator.
    private static bool Fits(AllocateHeadsOp op) => HeadShares.Fits(
        op.Y.Tensor.Shape[0].Max, op.Scores.Tensor.Shape[1].Max, op.FloorShare.Denominator);

    private static Step LowerWeight<TMaker>(TMaker maker, Slot weight, Heap heap) where TMaker : struct, IWeightStep =>
        weight.Tensor.Type switch
        {
            DType.F16 => maker.Make<F16, Half>(heap),
            DType.BF16 => maker.Make<BF16, ushort>(heap),
            _ => maker.Make<F32, float>(heap),
        };
}

/// <summary>Makes a step for the element type of its weight.</summary>
internal interface IWeightStep
{
    /// <summary>The step.</summary>
    Step Make<TElement, T>(Heap heap)
        where TElement : struct, IElement<T>
        where T : unmanaged;
}
