using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Reference.Simd;
using KvIL.Reference.Threading;

namespace KvIL.Reference.Kernels;

/// <summary>Elementwise ops share out blocks of elements; each block is a plain loop over vectors.</summary>
internal static class Blocks
{
    /// <summary>Elements of one item.</summary>
    public const int Size = 16 * 1024;

    /// <summary>Runs a job over the blocks of <paramref name="elements"/> elements.</summary>
    public static void Run<TJob>(Frame f, TJob job, long elements) where TJob : struct, IJob =>
        f.Workers.Run(job, checked((int)((elements + Size - 1) / Size)), elements > 2 * Size);

    /// <summary>Elements of block <paramref name="index"/>.</summary>
    public static int Count(long elements, int index) => (int)Math.Min(Size, elements - ((long)index * Size));
}

/// <summary><c>y = a + b</c>.</summary>
internal sealed unsafe class AddStep(AddOp op) : Step
{
    public override void Run(Frame f)
    {
        long count = f.Elements(op.Y);
        Blocks.Run(f, new Sum(f.F32(op.A), f.F32(op.B), f.F32(op.Y), count), count);
    }

    private readonly struct Sum(float* a, float* b, float* y, long elements) : IJob
    {
        public void Run(int index, int worker)
        {
            long first = (long)index * Blocks.Size;
            int count = Blocks.Count(elements, index);
            TensorPrimitives.Add(
                new ReadOnlySpan<float>(a + first, count), new ReadOnlySpan<float>(b + first, count), new Span<float>(y + first, count));
        }
    }
}

/// <summary>The activation of a gate. A type argument of <see cref="GatedStep{TActivation}"/>.</summary>
internal interface IActivation
{
    /// <summary>Eight values.</summary>
    static abstract Vector256<float> Of(Vector256<float> x);
}

/// <summary><see cref="Lanes.Silu"/>.</summary>
internal readonly struct SiluActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Of(Vector256<float> x) => Lanes.Silu(x);
}

/// <summary><see cref="Lanes.GeluTanh"/>.</summary>
internal readonly struct GeluActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Of(Vector256<float> x) => Lanes.GeluTanh(x);
}

/// <summary><c>y = activation(gate) · up</c>.</summary>
internal sealed unsafe class GatedStep<TActivation>(Slot gate, Slot up, Slot y) : Step where TActivation : struct, IActivation
{
    public override void Run(Frame f)
    {
        long count = f.Elements(y);
        Blocks.Run(f, new Gate(f.F32(gate), f.F32(up), f.F32(y), count), count);
    }

    private readonly struct Gate(float* gate, float* up, float* y, long elements) : IJob
    {
        public void Run(int index, int worker)
        {
            long first = (long)index * Blocks.Size;
            long end = first + Blocks.Count(elements, index);
            for (long i = first; i < end; i += Lanes.Count)
            {
                int count = (int)Math.Min(Lanes.Count, end - i);
                Lanes.StorePart(TActivation.Of(Lanes.LoadPart(gate + i, count)) * Lanes.LoadPart(up + i, count), y + i, count);
            }
        }
    }
}

/// <summary><c>y = factor · x</c>.</summary>
internal sealed unsafe class ScaleStep(ScaleOp op) : Step
{
    public override void Run(Frame f)
    {
        long count = f.Elements(op.Y);
        Blocks.Run(f, new Product(f.F32(op.X), f.F32(op.Y), count, op.Factor), count);
    }

    private readonly struct Product(float* x, float* y, long elements, float factor) : IJob
    {
        public void Run(int index, int worker)
        {
            long first = (long)index * Blocks.Size;
            int count = Blocks.Count(elements, index);
            TensorPrimitives.Multiply(new ReadOnlySpan<float>(x + first, count), factor, new Span<float>(y + first, count));
        }
    }
}

/// <summary><c>y = c · tanh(x / c)</c>.</summary>
internal sealed unsafe class SoftCapStep(SoftCapOp op) : Step
{
    public override void Run(Frame f)
    {
        long count = f.Elements(op.Y);
        Blocks.Run(f, new Cap(f.F32(op.X), f.F32(op.Y), count, op.Cap), count);
    }

    private readonly struct Cap(float* x, float* y, long elements, float cap) : IJob
    {
        public void Run(int index, int worker)
        {
            long first = (long)index * Blocks.Size;
            long end = first + Blocks.Count(elements, index);
            for (long i = first; i < end; i += Lanes.Count)
            {
                int count = (int)Math.Min(Lanes.Count, end - i);
                Lanes.StorePart(Lanes.SoftCap(Lanes.LoadPart(x + i, count), cap), y + i, count);
            }
        }
    }
}

/// <summary><c>y = max(a, b)</c>, NaN as −∞.</summary>
internal sealed unsafe class MaximumStep(MaximumOp op) : Step
{
    public override void Run(Frame f)
    {
        float* a = f.F32(op.A);
        float* b = f.F32(op.B);
        float* y = f.F32(op.Y);
        long count = f.Elements(op.Y);
        for (long i = 0; i < count; i++)
        {
            float larger = float.MaxNumber(a[i], b[i]);
            y[i] = float.IsNaN(larger) ? float.NegativeInfinity : larger;
        }
    }
}
