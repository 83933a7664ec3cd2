using System.Runtime.InteropServices;
using KvIL.Backends;
using KvIL.Gpu.Devices;
using KvIL.Gpu.Kernels;
using KvIL.Gpu.Memory;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Gpu.Steps;

/// <summary>Chooses the element type of an embedding.</summary>
internal static class EmbedStep
{
    /// <summary>Makes the step for the table's type.</summary>
    internal readonly struct Maker(EmbedOp op) : IWeightStep
    {
        public Step Make<TElement, T>(Heap heap) where TElement : struct, IElement<T> where T : unmanaged =>
            new EmbedStep<TElement, T>(op.Table, op.Tokens, op.Y, heap);
    }
}

/// <summary>One launch: rows of a table, or of activations.</summary>
internal sealed class EmbedStep<TElement, T>(Slot table, Slot indices, Slot y, Heap heap) : Step
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private readonly IKernel<EmbedArgs<T>> _kernel = heap.Device.Load<Embed<TElement, T>, EmbedArgs<T>>();

    public override void Run(Frame frame)
    {
        Dim n = y.Tensor.Shape[0];
        EmbedArgs<T> args = new()
        {
            Block = frame.Block,
            Table = frame.Of<T>(table),
            Indices = frame.Of<int>(indices),
            Y = frame.Of<float>(y),
            Fault = frame.Fault,
            N = Frame.Bound(n),
            TableRows = Frame.Bound(table.Tensor.Shape[0]),
            Width = y.Tensor.Shape[1].Max,
        };
        frame.Launch(_kernel, frame.Value(n), args);
    }
}

/// <summary>Chooses the element type of a norm.</summary>
internal static class RmsNormStep
{
    /// <summary>Makes the step for the weight's type.</summary>
    internal readonly struct Maker(RmsNormOp op) : IWeightStep
    {
        public Step Make<TElement, T>(Heap heap) where TElement : struct, IElement<T> where T : unmanaged =>
            new RmsNormStep<TElement, T>(op, heap);
    }
}

/// <summary>One launch.</summary>
internal sealed class RmsNormStep<TElement, T>(RmsNormOp op, Heap heap) : Step
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private readonly IKernel<RmsNormArgs<T>> _kernel = heap.Device.Load<RmsNorm<TElement, T>, RmsNormArgs<T>>();

    public override void Run(Frame frame)
    {
        Dim n = op.Y.Tensor.Shape[0];
        RmsNormArgs<T> args = new()
        {
            Block = frame.Block,
            X = frame.Of<float>(op.X),
            Weight = frame.Of<T>(op.Weight),
            Y = frame.Of<float>(op.Y),
            N = Frame.Bound(n),
            Groups = op.Y.Tensor.Shape[1].Max / op.Weight.Tensor.Shape[0].Max,
            Width = op.Weight.Tensor.Shape[0].Max,
            Epsilon = op.Epsilon,
            Offset = op.WeightOffset,
        };
        frame.Launch(_kernel, (long)frame.Value(n) * args.Groups, args);
    }
}

/// <summary>Chooses the element types of a product.</summary>
internal static class LinearStep
{
    /// <summary>Makes the step for the weight's type.</summary>
    internal readonly struct Maker(LinearOp op) : IWeightStep
    {
        public Step Make<TElement, T>(Heap heap) where TElement : struct, IElement<T> where T : unmanaged =>
            new LinearStep<TElement, T>(op, heap);
    }
}

/// <summary>One launch, and one for a bias. Tiles from as many rows on as make them worth their barriers.</summary>
internal sealed class LinearStep<TElement, T> : Step
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private readonly LinearOp _op;
    private readonly IKernel<LinearArgs<T>> _kernel;
    private readonly bool _tiled;
    private readonly Action<Frame>? _addBias;

    public LinearStep(LinearOp op, Heap heap)
    {
        _op = op;
        _tiled = op.X.Tensor.Shape[0].Max >= LinearTile<TElement, T>.TileRows / 2;
        _kernel = _tiled
            ? heap.Device.Load<LinearTile<TElement, T>, LinearArgs<T>>()
            : heap.Device.Load<LinearRow<TElement, T>, LinearArgs<T>>();
        _addBias = op.Bias?.Tensor.Type switch
        {
            null => null,
            DType.F16 => AddBias<F16, Half>(heap.Device),
            DType.BF16 => AddBias<BF16, ushort>(heap.Device),
            _ => AddBias<F32, float>(heap.Device),
        };
    }

    public override void Run(Frame frame)
    {
        Dim n = _op.Y.Tensor.Shape[0];
        LinearArgs<T> args = new()
        {
            Block = frame.Block,
            X = frame.Of<float>(_op.X),
            Weight = frame.Of<T>(_op.Weight),
            Y = frame.Of<float>(_op.Y),
            N = Frame.Bound(n),
            In = _op.X.Tensor.Shape[1].Max,
            Out = _op.Y.Tensor.Shape[1].Max,
        };
        frame.Launch(_kernel, _tiled ? Tiles(frame.Value(n), args.Out) : (long)frame.Value(n) * args.Out, args);
        _addBias?.Invoke(frame);
    }

    private static long Tiles(int rows, int outputs)
    {
        (int height, int width) = (LinearTile<TElement, T>.TileRows, LinearTile<TElement, T>.TileOutputs);
        return ((rows + (long)height - 1) / height) * ((outputs + (long)width - 1) / width);
    }

    private Action<Frame> AddBias<TBias, TB>(IDevice device) where TBias : struct, IElement<TB> where TB : unmanaged
    {
        IKernel<LinearBiasArgs<TB>> kernel = device.Load<LinearBias<TBias, TB>, LinearBiasArgs<TB>>();
        Dim n = _op.Y.Tensor.Shape[0];
        return frame => frame.Launch(kernel, frame.Value(n), new LinearBiasArgs<TB>
        {
            Block = frame.Block,
            Bias = frame.Of<TB>(_op.Bias!),
            Y = frame.Of<float>(_op.Y),
            N = Frame.Bound(n),
            Out = _op.Y.Tensor.Shape[1].Max,
        });
    }
}

/// <summary>One launch; the frequencies lie on the device from the compilation on.</summary>
internal sealed class RotationStep : Step
{
    private readonly RotationOp _op;
    private readonly IKernel<RotationArgs> _kernel;
    private readonly GpuBuffer _frequencies;

    public RotationStep(RotationOp op, Heap heap)
    {
        _op = op;
        _kernel = heap.Device.Load<Rotation, RotationArgs>();
        _frequencies = new(new TensorSpec(DType.I32, op.Frequencies.Length, 2), heap, MemoryKind.Weights);
        using IDeviceStream stream = heap.Device.CreateStream();
        if (op.Frequencies.Length > 0)
        {
            stream.CopyIn(MemoryMarshal.AsBytes(op.Frequencies.AsSpan()), _frequencies.View);
        }
    }

    public override void Run(Frame frame)
    {
        Dim n = _op.Positions.Tensor.Shape[0];
        RotationArgs args = new()
        {
            Block = frame.Block,
            Positions = frame.Of<int>(_op.Positions),
            Frequencies = _frequencies.View.Cast<double>(),
            Y = frame.Of<float>(_op.Y),
            N = Frame.Bound(n),
            Factor = _op.Factor,
        };
        frame.Launch(_kernel, frame.Value(n), args);
    }

    public override void Dispose() => _frequencies.Dispose();
}

/// <summary>One launch.</summary>
internal sealed class RopeStep(RopeOp op, Heap heap) : Step
{
    private readonly IKernel<RopeArgs> _kernel = heap.Device.Load<Rope, RopeArgs>();

    public override void Run(Frame frame)
    {
        Dim n = op.Y.Tensor.Shape[0];
        RopeArgs args = new()
        {
            Block = frame.Block,
            X = frame.Of<float>(op.X),
            Rotation = frame.Of<float>(op.Rotation),
            Y = frame.Of<float>(op.Y),
            N = Frame.Bound(n),
            Width = op.Y.Tensor.Shape[1].Max,
            HeadDim = op.HeadDim,
            Frequencies = op.Rotation.Tensor.Shape[1].Max / 2,
            Step = op.Interleaved ? 2 : 1,
            Partner = op.Interleaved ? 1 : op.Rotation.Tensor.Shape[1].Max / 2,
        };
        frame.Launch(_kernel, frame.Value(n), args);
    }
}
