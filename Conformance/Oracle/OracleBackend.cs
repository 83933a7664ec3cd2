using KvIL.Backends;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Oracle;

/// <summary>The truth that backends are compared with: interprets a plan op by op in scalar double, each op by its textbook definition.</summary>
/// <remarks>Work runs inside <see cref="IQueue.Enqueue"/>. Bytes are counted as the specs say, not as the doubles take.</remarks>
public sealed class OracleBackend : IBackend
{
    private readonly Action<Op, OracleFrame> _execute;
    private readonly Dequantizer _dequantize;

    /// <summary>An oracle.</summary>
    public OracleBackend()
        : this(OracleOps.Execute)
    {
    }

    /// <summary>An oracle that runs <paramref name="execute"/> and <paramref name="dequantize"/> in place of the definitions: for mutants, which break one.</summary>
    internal OracleBackend(Action<Op, OracleFrame> execute, Dequantizer? dequantize = null) =>
        (_execute, _dequantize) = (execute, dequantize ?? Dequantization.ToFloat32);

    /// <summary>Writes the weights of whole quantised blocks.</summary>
    internal delegate void Dequantizer(DType type, ReadOnlySpan<byte> blocks, Span<float> weights);

    /// <inheritdoc/>
    public string Name => "oracle";

    /// <inheritdoc/>
    public MemoryAccount Memory { get; } = new();

    /// <inheritdoc/>
    public bool Supports(Op op) => true;

    /// <inheritdoc/>
    public IBuffer Allocate(TensorSpec spec, MemoryKind kind)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return new OracleTensor(spec, Account(kind, spec));
    }

    /// <inheritdoc/>
    public IStore Allocate(StoreSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return new OracleStore(spec, Account(MemoryKind.Cache, spec));
    }

    /// <inheritdoc/>
    public IBuffer Import(TensorSpec spec, HostMemory memory)
    {
        ArgumentNullException.ThrowIfNull(spec);
        if (memory.LengthBytes < spec.SizeBytes)
        {
            throw new ArgumentException($"expected {spec.SizeBytes} bytes for {spec}, got {memory.LengthBytes}.", nameof(memory));
        }

        OracleTensor tensor = new(spec, Account(MemoryKind.Weights, spec));
        Matrix cells = tensor.Reals(1, (int)spec.Shape.MaxElements);
        if (spec.Type.IsQuantized())
        {
            float[] weights = new float[cells.Width];
            _dequantize(spec.Type, memory.Slice(0, spec.SizeBytes).AsSpan(), weights);
            cells.Fill((_, i) => weights[i]);
        }
        else
        {
            int size = spec.Type.BlockBytes();
            cells.Fill((_, i) => Numbers.Decode(memory.Slice((long)i * size, size).AsSpan(), spec.Type));
        }

        GC.KeepAlive(memory.Owner);
        return tensor;
    }

    /// <inheritdoc/>
    public IExecutable Compile(Plan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return new OracleExecutable(plan);
    }

    /// <inheritdoc/>
    public IQueue CreateQueue() => new OracleQueue(Memory, _execute);

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    // Records the allocation and gives the action that records the release.
    private Action Account(MemoryKind kind, Spec spec)
    {
        Memory.Add(kind, spec.SizeBytes);
        return () => Memory.Add(kind, -spec.SizeBytes);
    }
}

/// <summary>A plan as it stands.</summary>
internal sealed class OracleExecutable(Plan plan) : IExecutable
{
    public Plan Plan => plan;

    public long ScratchBytes { get; } = plan.Ops
        .Select(op => op.Writes)
        .Where(slot => slot.Previous is null && !plan.Outputs.Contains(slot))
        .Sum(slot => slot.Spec.SizeBytes);

    public void Dispose()
    {
    }
}
