using System.Runtime.InteropServices;
using ILGPU;
using KvIL.Backends;
using KvIL.Gpu.Devices;
using KvIL.Gpu.Memory;
using KvIL.Gpu.Steps;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Gpu;

/// <summary>A GPU through ILGPU: kernels in C#, compiled when a plan is, and nothing native but the GPU's driver.</summary>
/// <remarks>
/// Rows of a store may be F32 or F16, weights F32, F16, BF16, or quantised, which are held as F32. Integer decisions equal those of
/// every other backend for equal scores; sums run over a fixed number of lanes, so results do not depend on the device's group size.
/// </remarks>
public sealed class GpuBackend : IBackend
{
    private readonly IDevice _device;
    private readonly Heap _heap;
    private readonly Lock _importLock = new();

    internal GpuBackend(IDevice device)
    {
        _device = device;
        _heap = new(device, Memory);
    }

    /// <inheritdoc/>
    public string Name => _device.Name;

    /// <inheritdoc/>
    public MemoryAccount Memory { get; } = new();

    /// <summary>Opens a GPU of this machine; <see cref="GpuDevices.List()"/> says which there are.</summary>
    /// <param name="kind">How it is reached.</param>
    /// <param name="index">Its number among those of its kind.</param>
    /// <exception cref="GpuUnavailableException">There is none, or its driver is missing or refuses.</exception>
    public static GpuBackend Create(GpuKind kind = GpuKind.Cuda, int index = 0) => new(GpuDevices.Open(kind, index));

    /// <inheritdoc/>
    public bool Supports(Op op) => Lowering.Supports(op);

    /// <inheritdoc/>
    public IBuffer Allocate(TensorSpec spec, MemoryKind kind)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return new GpuBuffer(spec, _heap, kind);
    }

    /// <inheritdoc/>
    public IStore Allocate(StoreSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return spec.RowType is DType.F32 or DType.F16
            ? new GpuStore(spec, _heap)
            : throw new ArgumentException($"expected rows of F32 or F16, got {spec}.", nameof(spec));
    }

    /// <summary>Copies a weight to the device, a quantised one as F32: exact, and counted as the bytes that this takes.</summary>
    /// <inheritdoc/>
    public IBuffer Import(TensorSpec spec, HostMemory memory)
    {
        ArgumentNullException.ThrowIfNull(spec);
        if (memory.LengthBytes < spec.SizeBytes)
        {
            throw new ArgumentException($"expected {spec.SizeBytes} bytes for {spec}, got {memory.LengthBytes}.", nameof(memory));
        }

        GpuBuffer buffer = new(spec, _heap, MemoryKind.Weights);
        lock (_importLock)
        {
            using IDeviceStream stream = _device.CreateStream();
            HostMemory source = memory.Slice(0, spec.SizeBytes);
            if (spec.Type.IsQuantized()) Widen(spec.Type, source, buffer.View, stream);
            else Copy(source, buffer.View, stream);
        }

        GC.KeepAlive(memory.Owner);
        return buffer;
    }

    /// <inheritdoc/>
    public IExecutable Compile(Plan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        foreach (Op op in plan.Ops)
        {
            if (!Supports(op))
            {
                throw new NotSupportedException($"{Name}: {op.Name}({op.Parameters}) of plan {plan.Name} is not supported.");
            }
        }

        return new Executable(plan, [.. plan.Ops.Select(op => Lowering.Lower(op, _heap))]);
    }

    /// <inheritdoc/>
    public IQueue CreateQueue() => new GpuQueue(_heap);

    /// <inheritdoc/>
    public void Dispose() => _device.Dispose();

    // A span holds at most 2 GiB, a weight may be larger.
    private static void Copy(HostMemory source, ArrayView<byte> destination, IDeviceStream stream)
    {
        const long Chunk = 1 << 30;
        for (long at = 0; at < source.LengthBytes; at += Chunk)
        {
            long bytes = Math.Min(Chunk, source.LengthBytes - at);
            stream.CopyIn(source.Slice(at, bytes).AsSpan(), destination.SubView(at, bytes));
        }
    }

    private static void Widen(DType type, HostMemory source, ArrayView<byte> destination, IDeviceStream stream)
    {
        const int Blocks = 4096;
        float[] weights = new float[Blocks * type.BlockElements()];
        long blocks = source.LengthBytes / type.BlockBytes();
        for (long block = 0; block < blocks; block += Blocks)
        {
            int count = (int)Math.Min(Blocks, blocks - block);
            Span<float> part = weights.AsSpan(0, count * type.BlockElements());
            Dequantization.ToFloat32(type, source.Slice(block * type.BlockBytes(), count * (long)type.BlockBytes()).AsSpan(), part);
            Span<byte> bytes = MemoryMarshal.AsBytes(part);
            stream.CopyIn(bytes, destination.SubView(block * type.BlockElements() * sizeof(float), bytes.Length));
            stream.Synchronize(); // the weights of the next blocks take the place of these
        }
    }
}
