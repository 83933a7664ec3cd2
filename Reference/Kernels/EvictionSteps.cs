using KvIL.Eviction;
using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary><c>y[h, j]</c> = position of row j of head h.</summary>
internal sealed unsafe class RecencyScoresStep(RecencyScoresOp op) : Step
{
    public override void Run(Frame f)
    {
        HostStore store = f.Store(op.Store);
        int length = f.Value(op.Y.Tensor.Shape[1]);
        for (int h = 0; h < store.StoreSpec.NumKvHeads; h++)
        {
            int run = (f.Value(op.Sequence) * store.StoreSpec.NumKvHeads) + h;
            int* positions = store.Position + store.Start[run];
            Span<float> y = new(f.F32(op.Y) + ((long)h * length), length);
            for (int j = 0; j < length; j++)
            {
                y[j] = j < store.Length[run] ? positions[j] : 0;
            }
        }
    }
}

/// <summary><c>y[h, j] = (1/G) Σ_{i in group h} x[i, j]</c>, in ascending i.</summary>
internal sealed unsafe class GroupMeanStep(GroupMeanOp op) : Step
{
    private readonly int _kvHeads = op.Y.Tensor.Shape[0].Max;
    private readonly int _group = op.X.Tensor.Shape[0].Max / op.Y.Tensor.Shape[0].Max;

    public override void Run(Frame f)
    {
        int length = f.Value(op.Y.Tensor.Shape[1]);
        f.Workers.Run(new Heads(f.F32(op.X), f.F32(op.Y), length, _group), _kvHeads, (long)length * _kvHeads > Blocks.Size);
    }

    private readonly struct Heads(float* x, float* y, int length, int group) : IJob
    {
        public void Run(int index, int worker)
        {
            float* first = x + ((long)index * group * length);
            float* mean = y + ((long)index * length);
            for (int j = 0; j < length; j++)
            {
                float sum = first[j];
                for (int i = 1; i < group; i++)
                {
                    sum += first[((long)i * length) + j];
                }

                mean[j] = sum / group;
            }
        }
    }
}

/// <summary>Pools the scored rows of each head; entries of the window and beyond the run are 0.</summary>
internal sealed unsafe class PoolStep(PoolOp op) : Step
{
    private readonly int _heads = op.Y.Tensor.Shape[0].Max;

    public override void Run(Frame f)
    {
        HostStore store = f.Store(op.Store);
        int length = f.Value(op.Y.Tensor.Shape[1]);
        Heads job = new(store, f.F32(op.X), f.F32(op.Y), length, _heads, f.Value(op.Sequence), f.Value(op.Window), op);
        f.Workers.Run(job, _heads, (long)length * _heads > Blocks.Size);
    }

    private readonly struct Heads(
        HostStore store, float* x, float* y, int length, int heads, int sequence, int window, PoolOp op) : IJob
    {
        public void Run(int index, int worker)
        {
            int kvHeads = store.StoreSpec.NumKvHeads;
            int rows = store.Length[(sequence * kvHeads) + (index / (heads / kvHeads))];
            int scored = rows - ProtectedRows.Window(rows, window);
            ReadOnlySpan<float> source = new(x + ((long)index * length), scored);
            Span<float> target = new(y + ((long)index * length), length);
            target[scored..].Clear();
            if (op.Kind == PoolKind.Max)
            {
                Pool.Max(source, op.Kernel, target[..scored]);
            }
            else
            {
                Pool.Average(source, op.Kernel, target[..scored]);
            }
        }
    }
}

/// <summary>Rows for each head, protected rows included.</summary>
internal sealed unsafe class AllocateHeadsStep(AllocateHeadsOp op) : Step
{
    private readonly int _heads = op.Y.Tensor.Shape[0].Max;

    public override long ScratchBytes(int workers) => DType.I32.SizeBytes(AllocateHeads.ScratchLength(_heads) + (3L * _heads));

    public override void Run(Frame f)
    {
        HostStore store = f.Store(op.Store);
        int length = f.Value(op.Scores.Tensor.Shape[1]);
        (int sinks, int window) = (f.Value(op.Sinks), f.Value(op.Window));
        Span<int> begins = new(f.Scratch, _heads);
        Span<int> candidates = new((int*)f.Scratch + _heads, _heads);
        Span<int> protectedRows = new((int*)f.Scratch + (2 * _heads), _heads);
        Span<int> scratch = new((int*)f.Scratch + (3 * _heads), AllocateHeads.ScratchLength(_heads));
        Span<int> counts = new(f.I32(op.Y), _heads);
        long total = f.Value(op.Total);
        for (int h = 0; h < _heads; h++)
        {
            int rows = store.Length[(f.Value(op.Sequence) * _heads) + h];
            begins[h] = ProtectedRows.Sinks(rows, sinks, window);
            candidates[h] = ProtectedRows.Candidates(rows, sinks, window);
            protectedRows[h] = rows - candidates[h];
            total -= protectedRows[h];
        }

        CandidateScores scores = new(new(f.F32(op.Scores), _heads * length), length, begins, candidates);
        AllocateHeads.Run(scores, Math.Max(total, 0), op.Rule, op.FloorShare, counts, scratch, protectedRows);
        for (int h = 0; h < _heads; h++) counts[h] += protectedRows[h];
    }
}

/// <summary>The rows that each head keeps, ascending, heads one after another.</summary>
internal sealed unsafe class SelectRowsStep(SelectRowsOp op) : Step
{
    private readonly int _heads = op.Counts.Tensor.Shape[0].Max;

    public override void Run(Frame f)
    {
        Heads job = new(
            f.Store(op.Store), f.F32(op.Scores), f.I32(op.Counts), f.I32(op.Y), f.Value(op.Scores.Tensor.Shape[1]),
            f.Value(op.Sequence), f.Value(op.Sinks), f.Value(op.Window));
        f.Workers.Run(job, _heads, f.Elements(op.Scores) > Blocks.Size);
    }

    private readonly struct Heads(
        HostStore store, float* scores, int* counts, int* rows, int length, int sequence, int sinks, int window) : IJob
    {
        public void Run(int index, int worker)
        {
            long first = 0;
            for (int h = 0; h < index; h++)
            {
                first += counts[h];
            }

            int held = store.Length[(sequence * store.StoreSpec.NumKvHeads) + index];
            int candidates = ProtectedRows.Candidates(held, sinks, window);
            SelectRows.Run(
                new ReadOnlySpan<float>(scores + ((long)index * length), length),
                ProtectedRows.Sinks(held, sinks, window),
                candidates,
                held,
                counts[index] - (held - candidates),
                new Span<int>(rows + first, counts[index]));
        }
    }
}
