using System.Numerics.Tensors;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Reference.Simd;
using KvIL.Reference.Threading;

namespace KvIL.Reference.Kernels;

/// <summary><c>y[i, k] = x[i, first + k]</c>.</summary>
internal sealed unsafe class ColumnsStep(ColumnsOp op) : Step
{
    private readonly int _columns = op.X.Tensor.Shape[1].Max;
    private readonly int _width = op.Y.Tensor.Shape[1].Max;

    public override void Run(Frame f)
    {
        int n = f.Value(op.Y.Tensor.Shape[0]);
        f.Workers.Run(new Copies(f.F32(op.X) + op.First, _columns, f.F32(op.Y), _width, _width), n, parallel: n > 8);
    }
}

/// <summary><c>y[i, :] = (x₁[i, :], x₂[i, :], ...)</c>.</summary>
internal sealed unsafe class ConcatenateStep(ConcatenateOp op) : Step
{
    private readonly int _columns = op.Y.Tensor.Shape[1].Max;

    public override void Run(Frame f)
    {
        int n = f.Value(op.Y.Tensor.Shape[0]);
        int first = 0;
        foreach (Slot part in op.Parts)
        {
            int width = part.Tensor.Shape[1].Max;
            f.Workers.Run(new Copies(f.F32(part), width, f.F32(op.Y) + first, _columns, width), n, parallel: n > 8);
            first += width;
        }
    }
}

/// <summary>Copies a row of <paramref name="width"/> columns between matrices whose rows lie the given strides apart.</summary>
internal readonly unsafe struct Copies(float* from, int fromStride, float* to, int toStride, int width) : IJob
{
    public void Run(int index, int worker) =>
        new ReadOnlySpan<float>(from + ((long)index * fromStride), width).CopyTo(new Span<float>(to + ((long)index * toStride), width));
}

/// <summary><c>y_j = Σ_s (offset + c[j·S + s]) x_s</c> of each token.</summary>
internal sealed unsafe class MixStep(MixOp op) : Step
{
    private readonly int _width = op.X.Tensor.Shape[1].Max / op.Streams;
    private readonly int _results = op.Factors.Tensor.Shape[1].Max / op.Streams;

    public override void Run(Frame f)
    {
        int n = f.Value(op.Y.Tensor.Shape[0]);
        f.Workers.Run(new Rows(f.F32(op.X), f.F32(op.Factors), f.F32(op.Y), op.Streams, _results, _width, op.Offset), n, parallel: n > 8);
    }

    private readonly struct Rows(float* x, float* factors, float* y, int streams, int results, int width, float offset) : IJob
    {
        public void Run(int index, int worker)
        {
            float* row = x + ((long)index * streams * width);
            float* c = factors + ((long)index * results * streams);
            for (int j = 0; j < results; j++, c += streams)
            {
                Span<float> sum = new(y + (((long)index * results) + j) * width, width);
                TensorPrimitives.Multiply(new ReadOnlySpan<float>(row, width), offset + c[0], sum);
                for (int s = 1; s < streams; s++)
                {
                    TensorPrimitives.MultiplyAdd(new ReadOnlySpan<float>(row + (s * width), width), offset + c[s], sum, sum);
                }
            }
        }
    }
}

/// <summary><c>y = x · √mean(r²) / √max(mean(x²), floor)</c> of each row.</summary>
internal sealed unsafe class MatchRmsStep(MatchRmsOp op) : Step
{
    private readonly int _width = op.Y.Tensor.Shape[1].Max;

    public override void Run(Frame f)
    {
        int n = f.Value(op.Y.Tensor.Shape[0]);
        f.Workers.Run(new Rows(f.F32(op.X), f.F32(op.Reference), f.F32(op.Y), _width, op.Floor), n, parallel: n > 8);
    }

    private readonly struct Rows(float* x, float* reference, float* y, int width, float floor) : IJob
    {
        public void Run(int index, int worker)
        {
            long first = (long)index * width;
            float scale = MathF.Sqrt(MeanSquare(reference + first)) / MathF.Sqrt(Math.Max(MeanSquare(x + first), floor));
            TensorPrimitives.Multiply(new ReadOnlySpan<float>(x + first, width), scale, new Span<float>(y + first, width));
        }

        private float MeanSquare(float* row) => Elements.Dot<F32Element>(row, (byte*)row, width) / width;
    }
}

/// <summary><c>y = max(0, x − (μ + m σ))</c> of each row.</summary>
internal sealed unsafe class SparsifyStep(SparsifyOp op) : Step
{
    private readonly int _width = op.Y.Tensor.Shape[1].Max;

    public override void Run(Frame f)
    {
        int n = f.Value(op.Y.Tensor.Shape[0]);
        f.Workers.Run(new Rows(f.F32(op.X), f.F32(op.Y), _width, op.Deviations), n, parallel: n > 8);
    }

    private readonly struct Rows(float* x, float* y, int width, float deviations) : IJob
    {
        public void Run(int index, int worker)
        {
            long first = (long)index * width;
            ReadOnlySpan<float> row = new(x + first, width);
            Span<float> result = new(y + first, width);
            TensorPrimitives.Subtract(row, TensorPrimitives.Sum(row) / width, result);
            float deviation = MathF.Sqrt(Elements.Dot<F32Element>(y + first, (byte*)(y + first), width) / width);
            TensorPrimitives.Subtract(result, deviations * deviation, result);
            TensorPrimitives.Max(result, 0, result);
        }
    }
}

/// <summary><c>y[i] = tokens[i]</c> below the limit, else 0.</summary>
internal sealed unsafe class KnownTokensStep(KnownTokensOp op) : Step
{
    public override void Run(Frame f)
    {
        int* tokens = f.I32(op.Tokens);
        int* y = f.I32(op.Y);
        int n = f.Value(op.Y.Tensor.Shape[0]);
        for (int i = 0; i < n; i++)
        {
            y[i] = tokens[i] < op.Limit ? tokens[i] : 0;
        }
    }
}
