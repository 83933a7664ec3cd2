using KvIL.Gpu.Devices;
using KvIL.Gpu.Kernels;
using KvIL.Gpu.Memory;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Gpu.Steps;

/// <summary>Two launches: each query's maximum and sum, then the mean over the queries of each row.</summary>
internal sealed class WindowScoresStep<TElement, T> : Step
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private readonly WindowScoresOp _op;
    private readonly IKernel<WindowScoresArgs<T>> _sums;
    private readonly IKernel<WindowScoresArgs<T>> _means;
    private readonly int _queryHeads;
    private readonly int _ring;
    private readonly Scratch<float> _perQuery;

    public WindowScoresStep(WindowScoresOp op, Heap heap)
    {
        _op = op;
        _sums = heap.Device.Load<WindowSums<TElement, T>, WindowScoresArgs<T>>();
        _means = heap.Device.Load<WindowMeans<TElement, T>, WindowScoresArgs<T>>();
        (_queryHeads, _ring) = (op.Y.Tensor.Shape[0].Max, op.Window.Tensor.Shape[1].Max);
        _perQuery = Reserve<float>(2L * _queryHeads * _ring);
    }

    public override void Run(Frame frame)
    {
        Dim length = _op.Y.Tensor.Shape[1];
        WindowScoresArgs<T> args = new()
        {
            Block = frame.Block,
            Store = frame.Store(_op.Store).View<T>(),
            Window = frame.Of<float>(_op.Window),
            Sums = frame.Of(_perQuery),
            Y = frame.Of<float>(_op.Y),
            Sequence = Frame.Bound(_op.Sequence),
            Tokens = Frame.Bound(_op.Tokens),
            Length = Frame.Bound(length),
            QueryHeads = _queryHeads,
            Queries = Frame.Bound(_op.Queries),
            Ring = _ring,
            Scale = _op.Rule.Scale,
            Cap = _op.Rule.SoftCap ?? 0,
            Sees = _op.Rule.WindowOrAll,
            Lag = _op.Rule.Lag,
        };
        frame.Launch(_sums, (long)_queryHeads * frame.Value(_op.Queries), args);
        frame.Launch(_means, Rows.Items(_queryHeads, frame.Value(length)), args);
    }
}

/// <summary>One launch.</summary>
internal sealed class RecencyScoresStep(RecencyScoresOp op, Heap heap) : Step
{
    private readonly IKernel<RecencyScoresArgs> _kernel = heap.Device.Load<RecencyScores, RecencyScoresArgs>();

    public override void Run(Frame frame)
    {
        Dim length = op.Y.Tensor.Shape[1];
        RecencyScoresArgs args = new()
        {
            Block = frame.Block,
            Runs = frame.Store(op.Store).Runs(),
            Y = frame.Of<float>(op.Y),
            Sequence = Frame.Bound(op.Sequence),
            Length = Frame.Bound(length),
        };
        frame.Launch(_kernel, Rows.Items(op.Y.Tensor.Shape[0].Max, frame.Value(length)), args);
    }
}

/// <summary>One launch.</summary>
internal sealed class GroupMeanStep(GroupMeanOp op, Heap heap) : Step
{
    private readonly IKernel<GroupMeanArgs> _kernel = heap.Device.Load<GroupMean, GroupMeanArgs>();
    private readonly int _heads = op.Y.Tensor.Shape[0].Max;

    public override void Run(Frame frame)
    {
        Dim length = op.Y.Tensor.Shape[1];
        GroupMeanArgs args = new()
        {
            Block = frame.Block,
            X = frame.Of<float>(op.X),
            Y = frame.Of<float>(op.Y),
            Length = Frame.Bound(length),
            Heads = _heads,
            Group = op.X.Tensor.Shape[0].Max / _heads,
        };
        frame.Launch(_kernel, Rows.Items(_heads, frame.Value(length)), args);
    }
}

/// <summary>One launch.</summary>
internal sealed class PoolStep<TPool>(PoolOp op, Heap heap) : Step where TPool : struct, IPool
{
    private readonly IKernel<PoolArgs> _kernel = heap.Device.Load<Pool<TPool>, PoolArgs>();
    private readonly int _heads = op.Y.Tensor.Shape[0].Max;

    public override void Run(Frame frame)
    {
        Dim length = op.Y.Tensor.Shape[1];
        PoolArgs args = new()
        {
            Block = frame.Block,
            Runs = frame.Store(op.Store).Runs(),
            X = frame.Of<float>(op.X),
            Y = frame.Of<float>(op.Y),
            Sequence = Frame.Bound(op.Sequence),
            Window = Frame.Bound(op.Window),
            Length = Frame.Bound(length),
            Heads = _heads,
            Kernel = op.Kernel,
        };
        frame.Launch(_kernel, Rows.Items(_heads, frame.Value(length)), args);
    }
}

/// <summary>One launch for any elementwise op.</summary>
internal sealed class ElementwiseStep<TFunction>(Slot a, Slot b, Slot y, Heap heap, float parameter = 0) : Step
    where TFunction : struct, IElementwise
{
    private readonly IKernel<ElementwiseArgs> _kernel = heap.Device.Load<Elementwise<TFunction>, ElementwiseArgs>();

    public override void Run(Frame frame)
    {
        Shape shape = y.Tensor.Shape;
        ElementwiseArgs args = new()
        {
            Block = frame.Block,
            A = frame.Of<float>(a),
            B = frame.Of<float>(b),
            Y = frame.Of<float>(y),
            RowCount = Frame.Bound(shape[0]),
            ColumnCount = Frame.Bound(shape[1]),
            Parameter = parameter,
        };
        long count = (long)frame.Value(shape[0]) * frame.Value(shape[1]);
        frame.Launch(_kernel, (count + Team.MaxThreads - 1) / Team.MaxThreads, args);
    }
}
