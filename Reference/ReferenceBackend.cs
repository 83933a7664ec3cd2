using KvIL.Backends;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Reference.Kernels;
using KvIL.Reference.Memory;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference;

/// <summary>The CPU in managed code: portable vectors, its own worker threads, weights used in the file's type where they are mapped.</summary>
/// <remarks>Results do not depend on the number of threads. Work is done when <see cref="IQueue.Enqueue"/> returns.</remarks>
public sealed class ReferenceBackend : IBackend
{
    private readonly Workers _workers;

    /// <summary>A backend on <paramref name="threads"/> threads, the caller's included; 0 takes one per processor.</summary>
    public ReferenceBackend(int threads = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        _workers = new(threads == 0 ? Environment.ProcessorCount : threads);
    }

    /// <inheritdoc/>
    public string Name => "cpu";

    /// <summary>Threads that work on one op.</summary>
    public int Threads => _workers.Count;

    /// <summary>Told after each op how long it took; null, and free of cost, unless somebody measures.</summary>
    public Action<Op, TimeSpan>? Watch { get; set; }

    /// <inheritdoc/>
    public MemoryAccount Memory { get; } = new();

    /// <inheritdoc/>
    public bool Supports(Op op) => Lower(op) is not null;

    /// <inheritdoc/>
    public IBuffer Allocate(TensorSpec spec, MemoryKind kind) => HostBuffer.Allocate(spec, Memory, kind);

    /// <inheritdoc/>
    public IStore Allocate(StoreSpec spec) => new HostStore(spec, Memory);

    /// <inheritdoc/>
    public IBuffer Import(TensorSpec spec, HostMemory memory) => HostBuffer.Import(spec, memory, Memory);

    /// <inheritdoc/>
    public IExecutable Compile(Plan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return new Executable(plan, plan.Ops.Select(op => Lower(op) ?? throw new NotSupportedException($"cpu: {op.Name} is not supported.")), _workers.Count);
    }

    /// <inheritdoc/>
    public IQueue CreateQueue() => new HostQueue(this, _workers);

    /// <inheritdoc/>
    public void Dispose() => _workers.Dispose();

    private static Step? Lower(Op op) => op switch
    {
        EmbedOp o => new EmbedStep(o),
        RmsNormOp o => new RmsNormStep(o),
        UnitNormOp o => new UnitNormStep(o),
        GainOp o => new GainStep(o),
        LinearOp o => new LinearStep(o),
        RotationOp o => new RotationStep(o),
        RopeOp o => new RopeStep(o),
        AddOp o => new AddStep(o),
        SwiGluOp o => new GatedStep<SiluActivation>(o.Gate, o.Up, o.Y),
        GeGluOp o => new GatedStep<GeluActivation>(o.Gate, o.Up, o.Y),
        ScaleOp o => new ScaleStep(o),
        SoftCapOp o => new SoftCapStep(o),
        GatherRowsOp o => new GatherRowsStep(o),
        ColumnsOp o => new ColumnsStep(o),
        ConcatenateOp o => new ConcatenateStep(o),
        MixOp o => new MixStep(o),
        MatchRmsOp o => new MatchRmsStep(o),
        SparsifyOp o => new SparsifyStep(o),
        KnownTokensOp o => new KnownTokensStep(o),
        AppendOp o => new AppendStep(o),
        ReplaceRowsOp o => new ReplaceRowsStep(o),
        RowChangeOp o => new RowChangeStep(o),
        AttendOp o => new AttendStep(o),
        RememberQueriesOp o => new RememberQueriesStep(o),
        WindowScoresOp o => new WindowScoresStep(o),
        RecencyScoresOp o => new RecencyScoresStep(o),
        GroupMeanOp o => new GroupMeanStep(o),
        PoolOp o => new PoolStep(o),
        MaximumOp o => new MaximumStep(o),
        AllocateHeadsOp o => new AllocateHeadsStep(o),
        SelectRowsOp o => new SelectRowsStep(o),
        CompactOp o => new CompactStep(o),
        EvictionLossOp o => new EvictionLossStep(o),
        ScoreRowsOp o => new ScoreRowsStep(o),
        WeighHeadsOp o => new WeighHeadsStep(o),
        ScaleByMassOp o => new ScaleByMassStep(o),
        TwoStageScoresOp o => new TwoStageScoresStep(o),
        ChunkScoresOp o => new ChunkScoresStep(o),
        ProtectRowsOp o => new ProtectRowsStep(o),
        RerotateOp o => new RerotateStep(o),
        LayerPreferenceOp o => new LayerPreferenceStep(o),
        _ => null,
    };
}
