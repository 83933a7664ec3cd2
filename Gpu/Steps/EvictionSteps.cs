using KvIL.Eviction;
using KvIL.Gpu.Devices;
using KvIL.Gpu.Kernels;
using KvIL.Gpu.Memory;
using KvIL.Ops;
using KvIL.Tensors;

namespace KvIL.Gpu.Steps;

/// <summary>Ten launches: begin, four times count and pick a digit, end; two when no score decides.</summary>
internal sealed class AllocateHeadsStep : Step
{
    private readonly AllocateHeadsOp _op;
    private readonly IKernel<AllocateHeadsArgs> _begin;
    private readonly IKernel<AllocateHeadsArgs> _count;
    private readonly IKernel<AllocateHeadsArgs> _pick;
    private readonly IKernel<AllocateHeadsArgs> _end;
    private readonly int _heads;
    private readonly Scratch<long> _totals;
    private readonly Scratch<long> _remainders;
    private readonly Scratch<int> _reserved;
    private readonly Scratch<int> _above;
    private readonly Scratch<int> _equal;
    private readonly Scratch<int> _histogram;

    public AllocateHeadsStep(AllocateHeadsOp op, Heap heap)
    {
        _op = op;
        _begin = heap.Device.Load<AllocateHeadsBegin, AllocateHeadsArgs>();
        _count = heap.Device.Load<AllocateHeadsCount, AllocateHeadsArgs>();
        _pick = heap.Device.Load<AllocateHeadsPick, AllocateHeadsArgs>();
        _end = heap.Device.Load<AllocateHeadsEnd, AllocateHeadsArgs>();
        _heads = op.Y.Tensor.Shape[0].Max;
        _totals = Reserve<long>(Shared.Count);
        _remainders = Reserve<long>(_heads);
        _reserved = Reserve<int>(_heads);
        _above = Reserve<int>(_heads);
        _equal = Reserve<int>(_heads);
        _histogram = Reserve<int>((long)_heads * ScoreOrder.Bins);
    }

    public override void Run(Frame frame)
    {
        Dim length = _op.Scores.Tensor.Shape[1];
        AllocateHeadsArgs args = new()
        {
            Block = frame.Block,
            Runs = frame.Store(_op.Store).Runs(),
            Scores = frame.Of<float>(_op.Scores),
            Counts = frame.Of<int>(_op.Y),
            Totals = frame.Of(_totals),
            Remainders = frame.Of(_remainders),
            Reserved = frame.Of(_reserved),
            Above = frame.Of(_above),
            Equal = frame.Of(_equal),
            Histogram = frame.Of(_histogram),
            Sequence = Frame.Bound(_op.Sequence),
            Total = Frame.Bound(_op.Total),
            Sinks = Frame.Bound(_op.Sinks),
            Window = Frame.Bound(_op.Window),
            Length = Frame.Bound(length),
            Rule = (int)_op.Rule,
            ShareNumerator = _op.FloorShare.Numerator,
            ShareDenominator = _op.FloorShare.Denominator,
        };
        frame.Launch(_begin, 1, args);
        if (_op.Rule != HeadAllocation.Uniform)
        {
            for (int shift = 32 - ScoreOrder.DigitBits; shift >= 0; shift -= ScoreOrder.DigitBits)
            {
                args.Shift = shift;
                frame.Launch(_count, Rows.Items(_heads, frame.Value(length)), args);
                frame.Launch(_pick, 1, args);
            }
        }

        frame.Launch(_end, 1, args);
    }
}

/// <summary>One launch.</summary>
internal sealed class SelectRowsStep(SelectRowsOp op, Heap heap) : Step
{
    private readonly IKernel<SelectRowsArgs> _kernel = heap.Device.Load<SelectRows, SelectRowsArgs>();

    public override void Run(Frame frame)
    {
        SelectRowsArgs args = new()
        {
            Block = frame.Block,
            Runs = frame.Store(op.Store).Runs(),
            Scores = frame.Of<float>(op.Scores),
            Counts = frame.Of<int>(op.Counts),
            Y = frame.Of<int>(op.Y),
            Sequence = Frame.Bound(op.Sequence),
            Sinks = Frame.Bound(op.Sinks),
            Window = Frame.Bound(op.Window),
            Length = Frame.Bound(op.Scores.Tensor.Shape[1]),
        };
        frame.Launch(_kernel, op.Counts.Tensor.Shape[0].Max, args);
    }
}

/// <summary>Two launches: the fresh run table, then the rows.</summary>
internal sealed class CompactStep<T>(CompactOp op, Heap heap) : Step where T : unmanaged
{
    private readonly IKernel<CompactArgs<T>> _layout = heap.Device.Load<CompactLayout<T>, CompactArgs<T>>();
    private readonly IKernel<CompactArgs<T>> _rows = heap.Device.Load<CompactRows<T>, CompactArgs<T>>();
    private readonly int _runs = op.Store.Store.Runs;

    public override void Run(Frame frame)
    {
        GpuStore from = frame.Store(op.Store);
        GpuStore to = frame.Store(op.Next);
        if (ReferenceEquals(from, to))
        {
            throw new ArgumentException($"{op.Next.Name}: a store cannot be compacted into itself; bind a fresh one.");
        }

        CompactArgs<T> args = new()
        {
            Block = frame.Block,
            From = from.View<T>(),
            To = to.View<T>(),
            Counts = frame.Of<int>(op.Counts),
            Rows = frame.Of<int>(op.Rows),
            Fault = frame.Fault,
            Sequence = Frame.Bound(op.Sequence),
            Slack = Frame.Bound(op.Slack),
            Runs = _runs,
        };
        frame.Launch(_layout, 1, args);
        frame.Launch(_rows, (long)_runs * CompactRows<T>.GroupsPerRun, args);
    }
}
