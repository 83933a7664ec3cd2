using System.Numerics.Tensors;
using System.Runtime.Intrinsics;
using KvIL.Ops;
using KvIL.Reference.Simd;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary><c>y = (offset + weight) · x / √(mean(x²) + ε)</c> over each row, or over each group of the weight's width in it.</summary>
internal sealed unsafe class RmsNormStep(RmsNormOp op) : Step
{
    private readonly int _width = op.Weight.Tensor.Shape[0].Max;
    private readonly int _groups = op.Y.Tensor.Shape[1].Max / op.Weight.Tensor.Shape[0].Max;

    public override long ScratchBytes(int workers) => DType.F32.SizeBytes(_width);

    public override void Run(Frame f)
    {
        float* weight = (float*)f.Scratch;
        Elements.Widen(op.Weight.Tensor.Type, f.Raw(op.Weight), weight, _width);
        for (int k = 0; op.WeightOffset != 0 && k < _width; k++)
        {
            weight[k] += op.WeightOffset;
        }

        int n = f.Value(op.Y.Tensor.Shape[0]) * _groups;
        f.Workers.Run(new Rows(f.F32(op.X), weight, f.F32(op.Y), _width, op.Epsilon), n, parallel: n > 8);
    }

    private readonly struct Rows(float* x, float* weight, float* y, int width, float epsilon) : IJob
    {
        public void Run(int index, int worker)
        {
            float* row = x + ((long)index * width);
            float* result = y + ((long)index * width);
            float meanSquare = Elements.Dot<F32Element>(row, (byte*)row, width) / width;
            float scale = 1 / MathF.Sqrt(meanSquare + epsilon);
            for (int k = 0; k < width; k += Lanes.Count)
            {
                int count = Math.Min(Lanes.Count, width - k);
                Vector256<float> scaled = Lanes.LoadPart(row + k, count) * scale;
                Lanes.StorePart(Lanes.LoadPart(weight + k, count) * scaled, result + k, count);
            }
        }
    }
}

/// <summary><c>y = x / √(mean(x²) + ε)</c> over each group of columns.</summary>
internal sealed unsafe class UnitNormStep(UnitNormOp op) : Step
{
    private readonly int _groups = op.Y.Tensor.Shape[1].Max / op.Width;

    public override void Run(Frame f)
    {
        int n = f.Value(op.Y.Tensor.Shape[0]) * _groups;
        f.Workers.Run(new Rows(f.F32(op.X), f.F32(op.Y), op.Width, op.Epsilon), n, parallel: n > 8);
    }

    private readonly struct Rows(float* x, float* y, int width, float epsilon) : IJob
    {
        public void Run(int index, int worker)
        {
            float* row = x + ((long)index * width);
            float meanSquare = Elements.Dot<F32Element>(row, (byte*)row, width) / width;
            TensorPrimitives.Multiply(
                new ReadOnlySpan<float>(row, width), 1 / MathF.Sqrt(meanSquare + epsilon), new Span<float>(y + ((long)index * width), width));
        }
    }
}

/// <summary><c>y[i, k] = weight[k mod width] · x[i, k]</c>.</summary>
internal sealed unsafe class GainStep(GainOp op) : Step
{
    private readonly int _width = op.Weight.Tensor.Shape[0].Max;
    private readonly int _columns = op.Y.Tensor.Shape[1].Max;

    public override long ScratchBytes(int workers) => DType.F32.SizeBytes(_width);

    public override void Run(Frame f)
    {
        float* weight = (float*)f.Scratch;
        Elements.Widen(op.Weight.Tensor.Type, f.Raw(op.Weight), weight, _width);
        int n = f.Value(op.Y.Tensor.Shape[0]);
        f.Workers.Run(new Rows(f.F32(op.X), weight, f.F32(op.Y), _columns, _width), n, parallel: n > 8);
    }

    private readonly struct Rows(float* x, float* weight, float* y, int columns, int width) : IJob
    {
        public void Run(int index, int worker)
        {
            ReadOnlySpan<float> row = new(x + ((long)index * columns), columns);
            Span<float> result = new(y + ((long)index * columns), columns);
            if (width == 1)
            {
                TensorPrimitives.Multiply(row, weight[0], result);
                return;
            }

            ReadOnlySpan<float> factors = new(weight, width);
            for (int k = 0; k < columns; k += width)
            {
                TensorPrimitives.Multiply(row.Slice(k, width), factors, result.Slice(k, width));
            }
        }
    }
}
