using System.Collections.Immutable;
using KvIL.Ops;
using KvIL.Reference.Threading;

namespace KvIL.Reference.Kernels;

/// <summary><c>y[i, f] = m cos(positions[i] · ω_f)</c>, <c>y[i, F + f] = m sin(positions[i] · ω_f)</c>.</summary>
internal sealed unsafe class RotationStep(RotationOp op) : Step
{
    public override void Run(Frame f)
    {
        int n = f.Value(op.Y.Tensor.Shape[0]);
        f.Workers.Run(new Rows(f.I32(op.Positions), f.F32(op.Y), op.Frequencies, op.Factor), n, parallel: n > 8);
    }

    private readonly struct Rows(int* positions, float* y, ImmutableArray<double> frequencies, double factor) : IJob
    {
        public void Run(int index, int worker)
        {
            float* row = y + ((long)index * 2 * frequencies.Length);
            for (int j = 0; j < frequencies.Length; j++)
            {
                (double sin, double cos) = Math.SinCos(positions[index] * frequencies[j]);
                row[j] = (float)(factor * cos);
                row[frequencies.Length + j] = (float)(factor * sin);
            }
        }
    }
}

/// <summary><c>y_f = a_f cos − b_f sin</c>, <c>y_{F+f} = b_f cos + a_f sin</c> in every head, a and b half-split or side by side in x.</summary>
internal sealed unsafe class RopeStep(RopeOp op) : Step
{
    private readonly int _width = op.X.Tensor.Shape[1].Max;
    private readonly int _frequencies = op.Rotation.Tensor.Shape[1].Max / 2;

    public override void Run(Frame f)
    {
        int n = f.Value(op.X.Tensor.Shape[0]);
        f.Workers.Run(new Rows(f.F32(op.X), f.F32(op.Rotation), f.F32(op.Y), _width, op.HeadDim, _frequencies, op.Interleaved), n, parallel: n > 8);
    }

    private readonly struct Rows(float* x, float* rotation, float* y, int width, int headDim, int frequencies, bool interleaved) : IJob
    {
        public void Run(int index, int worker)
        {
            float* cos = rotation + ((long)index * 2 * frequencies);
            float* sin = cos + frequencies;
            (int step, int second) = interleaved ? (2, 1) : (1, frequencies);
            for (int head = 0; head < width; head += headDim)
            {
                float* source = x + ((long)index * width) + head;
                float* target = y + ((long)index * width) + head;
                for (int j = 0; j < frequencies; j++)
                {
                    float a = source[step * j];
                    float b = source[(step * j) + second];
                    target[j] = (a * cos[j]) - (b * sin[j]);
                    target[frequencies + j] = (b * cos[j]) + (a * sin[j]);
                }

                for (int j = 2 * frequencies; j < headDim; j++)
                {
                    target[j] = source[j];
                }
            }
        }
    }
}
