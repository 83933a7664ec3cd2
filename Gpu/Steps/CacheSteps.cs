using KvIL.Gpu.Devices;
using KvIL.Gpu.Kernels;
using KvIL.Gpu.Memory;
using KvIL.Ops;
using KvIL.Tensors;

namespace KvIL.Gpu.Steps;

/// <summary>Two launches: ranks and new lengths, then the rows.</summary>
internal sealed class AppendStep<TElement, T> : Step
    where TElement : struct, IRowElement<T>
    where T : unmanaged
{
    private readonly AppendOp _op;
    private readonly IKernel<AppendArgs<T>> _place;
    private readonly IKernel<AppendArgs<T>> _rows;
    private readonly Scratch<int> _ranks;
    private readonly Scratch<int> _oldLengths;

    public AppendStep(AppendOp op, Heap heap)
    {
        _op = op;
        _place = heap.Device.Load<AppendPlace<T>, AppendArgs<T>>();
        _rows = heap.Device.Load<AppendRows<TElement, T>, AppendArgs<T>>();
        _ranks = Reserve<int>(op.Positions.Tensor.Shape.MaxElements);
        _oldLengths = Reserve<int>(op.Store.Store.Runs);
    }

    public override void Run(Frame frame)
    {
        Dim n = _op.Positions.Tensor.Shape[0];
        AppendArgs<T> args = new()
        {
            Block = frame.Block,
            Store = frame.Store(_op.Store).View<T>(),
            Keys = frame.Of<float>(_op.Keys),
            Values = frame.Of<float>(_op.Values),
            Positions = frame.Of<int>(_op.Positions),
            Sequences = frame.Of<int>(_op.Sequences),
            Ranks = frame.Of(_ranks),
            OldLengths = frame.Of(_oldLengths),
            N = Frame.Bound(n),
            Runs = _op.Store.Store.Runs,
        };
        frame.Launch(_place, 1, args);
        frame.Launch(_rows, (long)frame.Value(n) * _op.Store.Store.NumKvHeads, args);
    }
}

/// <summary>One launch.</summary>
internal sealed class ReplaceRowsStep<TElement, T>(ReplaceRowsOp op, Heap heap) : Step
    where TElement : struct, IRowElement<T>
    where T : unmanaged
{
    private readonly IKernel<ReplaceRowsArgs<T>> _kernel = heap.Device.Load<ReplaceRows<TElement, T>, ReplaceRowsArgs<T>>();

    public override void Run(Frame frame)
    {
        Dim n = op.Positions.Tensor.Shape[0];
        frame.Launch(_kernel, (long)frame.Value(n) * op.Store.Store.NumKvHeads, new ReplaceRowsArgs<T>
        {
            Block = frame.Block,
            Store = frame.Store(op.Store).View<T>(),
            Keys = frame.Of<float>(op.Keys),
            Values = frame.Of<float>(op.Values),
            Positions = frame.Of<int>(op.Positions),
            Sequences = frame.Of<int>(op.Sequences),
            N = Frame.Bound(n),
        });
    }
}

/// <summary>One launch.</summary>
internal sealed class RowChangeStep<TElement, T>(RowChangeOp op, Heap heap) : Step
    where TElement : struct, IRowElement<T>
    where T : unmanaged
{
    private readonly IKernel<ReplaceRowsArgs<T>> _kernel = heap.Device.Load<RowChange<TElement, T>, ReplaceRowsArgs<T>>();

    public override void Run(Frame frame) => frame.Launch(_kernel, 1, new ReplaceRowsArgs<T>
    {
        Block = frame.Block,
        Store = frame.Store(op.Store).View<T>(),
        Keys = frame.Of<float>(op.Keys),
        Values = frame.Of<float>(op.Values),
        Positions = frame.Of<int>(op.Positions),
        Sequences = frame.Of<int>(op.Sequences),
        Y = frame.Of<float>(op.Y),
        N = Frame.Bound(op.Positions.Tensor.Shape[0]),
    });
}

/// <summary>One launch.</summary>
internal sealed class RememberQueriesStep(RememberQueriesOp op, Heap heap) : Step
{
    private readonly IKernel<RememberQueriesArgs> _kernel = heap.Device.Load<RememberQueries, RememberQueriesArgs>();

    public override void Run(Frame frame)
    {
        Dim n = op.Positions.Tensor.Shape[0];
        RememberQueriesArgs args = new()
        {
            Block = frame.Block,
            Window = frame.Of<float>(op.Window),
            Q = frame.Of<float>(op.Q),
            Positions = frame.Of<int>(op.Positions),
            Sequences = frame.Of<int>(op.Sequences),
            N = Frame.Bound(n),
            W = op.Window.Tensor.Shape[1].Max,
            Width = op.Q.Tensor.Shape[1].Max,
        };
        frame.Launch(_kernel, frame.Value(n), args);
    }
}

/// <summary>One launch, or two where the rows are split so that few tokens still occupy the device.</summary>
internal sealed class AttendStep<TElement, T> : Step
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    // Items that keep a large GPU busy: from here on rows are not split, and tokens are taken together.
    private const int EnoughItems = 1024;
    private const int MaxSplits = 16;

    private readonly AttendOp _op;
    private readonly IKernel<AttendArgs<T>> _attend;
    private readonly IKernel<AttendArgs<T>> _join;
    private readonly int _queryHeads;
    private readonly int _headsPerItem;
    private readonly int _tokensPerItem;
    private readonly int _splits;
    private readonly Scratch<float> _parts;

    public AttendStep(AttendOp op, Heap heap)
    {
        _op = op;
        _attend = heap.Device.Load<Attend<TElement, T>, AttendArgs<T>>();
        _join = heap.Device.Load<AttendJoin<T>, AttendArgs<T>>();
        StoreSpec store = op.Store.Store;
        _queryHeads = op.Q.Tensor.Shape[1].Max / store.HeadDim;
        int lanes = Math.Min(Attend<TElement, T>.MaxLanes, Attend<TElement, T>.MaxChannels / store.HeadDim);
        _headsPerItem = Math.Min(lanes, Group);
        long maxTokens = op.Positions.Tensor.Shape.MaxElements;
        long items = maxTokens * store.NumKvHeads;
        _tokensPerItem = items >= EnoughItems ? lanes / _headsPerItem : 1;
        _splits = (int)Math.Clamp(EnoughItems / Math.Max(items, 1), 1, MaxSplits);
        _parts = Reserve<float>(_splits == 1 ? 0 : maxTokens * _queryHeads * _splits * (2 + store.HeadDim));
    }

    private int Group => _queryHeads / _op.Store.Store.NumKvHeads;

    public override void Run(Frame frame)
    {
        Dim n = _op.Positions.Tensor.Shape[0];
        AttendArgs<T> args = new()
        {
            Block = frame.Block,
            Store = frame.Store(_op.Store).View<T>(),
            Q = frame.Of<float>(_op.Q),
            Positions = frame.Of<int>(_op.Positions),
            Sequences = frame.Of<int>(_op.Sequences),
            Y = frame.Of<float>(_op.Y),
            Parts = frame.Of(_parts),
            N = Frame.Bound(n),
            Group = Group,
            HeadsPerItem = _headsPerItem,
            TokensPerItem = _tokensPerItem,
            Splits = _splits,
            Scale = _op.Rule.Scale,
            Cap = _op.Rule.SoftCap ?? 0,
            Window = _op.Rule.WindowOrAll,
            Lag = _op.Rule.Lag,
        };
        long blocks = (frame.Value(n) + (long)_tokensPerItem - 1) / _tokensPerItem;
        frame.Launch(_attend, blocks * _op.Store.Store.NumKvHeads * args.Passes * _splits, args);
        if (_splits > 1)
        {
            frame.Launch(_join, (long)frame.Value(n) * _queryHeads, args);
        }
    }
}
