using KvIL.Gpu.Devices;
using KvIL.Gpu.Kernels;
using KvIL.Gpu.Memory;
using KvIL.Ops;

namespace KvIL.Gpu.Steps;

/// <summary>Chooses the element types of a loss.</summary>
internal static class EvictionLossStep
{
    /// <summary>Makes the step for the weight's type.</summary>
    internal readonly struct Maker(EvictionLossOp op) : IWeightStep
    {
        public Step Make<TElement, T>(Heap heap) where TElement : struct, IElement<T> where T : unmanaged =>
            Lowering.HasHalfRows(op.Store)
                ? new EvictionLossStep<F16, Half, TElement, T>(op, heap)
                : new EvictionLossStep<F32, float, TElement, T>(op, heap);
    }
}

/// <summary>Five launches: mass of each head, sums over parts of its rows, the parts joined, output channels, the four figures.</summary>
internal sealed class EvictionLossStep<TElement, T, TWeight, TW> : Step
    where TElement : struct, IElement<T>
    where T : unmanaged
    where TWeight : struct, IElement<TW>
    where TW : unmanaged
{
    private readonly EvictionLossOp _op;
    private readonly IKernel<LossArgs<T>> _mass;
    private readonly IKernel<LossRowsArgs<T, TW>> _rows;
    private readonly IKernel<LossSums> _heads;
    private readonly IKernel<LossChannelsArgs<TW>> _channels;
    private readonly IKernel<LossSums> _end;
    private readonly int _headDim;
    private readonly int _queryHeads;
    private readonly int _width;
    private readonly Scratch<double> _massOfHeads;
    private readonly Scratch<double> _parts;
    private readonly Scratch<double> _joined;
    private readonly Scratch<double> _perChannel;

    public EvictionLossStep(EvictionLossOp op, Heap heap)
    {
        _op = op;
        IDevice device = heap.Device;
        _mass = device.Load<LossMass<TElement, T>, LossArgs<T>>();
        _rows = device.Load<LossRows<TElement, T, TWeight, TW>, LossRowsArgs<T, TW>>();
        _heads = device.Load<LossHeads, LossSums>();
        _channels = device.Load<LossChannels<TWeight, TW>, LossChannelsArgs<TW>>();
        _end = device.Load<LossEnd, LossSums>();
        _headDim = op.Store.Store.HeadDim;
        _queryHeads = op.Window.Tensor.Shape[2].Max / _headDim;
        _width = op.OutputProjection.Tensor.Shape[0].Max;
        long perHead = LossLayout.Figures + _headDim;
        _massOfHeads = Reserve<double>((long)_queryHeads * LossLayout.Mass);
        _parts = Reserve<double>(_queryHeads * LossLayout.Parts * perHead);
        _joined = Reserve<double>(_queryHeads * perHead);
        _perChannel = Reserve<double>(_width);
    }

    public override void Run(Frame frame)
    {
        LossArgs<T> loss = new()
        {
            Block = frame.Block,
            Store = frame.Store(_op.Store).View<T>(),
            Window = frame.Of<float>(_op.Window),
            Counts = frame.Of<int>(_op.Counts),
            Rows = frame.Of<int>(_op.Rows),
            Mass = frame.Of(_massOfHeads),
            Parts = frame.Of(_parts),
            Sequence = Frame.Bound(_op.Sequence),
            Tokens = Frame.Bound(_op.Tokens),
            QueryHeads = _queryHeads,
            W = _op.Window.Tensor.Shape[1].Max,
            Scale = _op.Rule.Scale,
            Cap = _op.Rule.SoftCap ?? 0,
            Sees = _op.Rule.WindowOrAll,
            Lag = _op.Rule.Lag,
        };
        LossRowsArgs<T, TW> rows = new() { Loss = loss, Projection = frame.Of<TW>(_op.OutputProjection), Width = _width };
        LossSums sums = new()
        {
            Parts = frame.Of(_parts),
            Heads = frame.Of(_joined),
            Mass = frame.Of(_massOfHeads),
            Channels = frame.Of(_perChannel),
            Y = frame.Of<float>(_op.Y),
            QueryHeads = _queryHeads,
            HeadDim = _headDim,
            Width = _width,
        };
        frame.Launch(_mass, _queryHeads, loss);
        frame.Launch(_rows, (long)_queryHeads * LossLayout.Parts, rows);
        frame.Launch(_heads, _queryHeads, sums);
        LossChannelsArgs<TW> channels = new() { Sums = sums, Projection = frame.Of<TW>(_op.OutputProjection) };
        frame.Launch(_channels, _width, channels);
        frame.Launch(_end, 1, sums);
    }
}
