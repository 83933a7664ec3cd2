using System.Runtime.Intrinsics;
using KvIL.Reference.Simd;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Engines;

/// <summary>The numbers that kernels are made of, over their whole range.</summary>
public sealed unsafe class NumberTests
{
    private const float Smallest = -87.33654f, Largest = 88.72283f;

    [Fact]
    public void Exp_is_within_two_ulp_of_double_everywhere()
    {
        double worst = 0;
        for (int i = 0; i <= 4_000_000; i++)
        {
            float x = Smallest + (float)((Largest - (double)Smallest) * i / 4_000_000);
            double exact = Math.Exp(x);
            double ulp = Math.ScaleB(1, Math.ILogB(exact) - 23);
            double error = Math.Abs(Exp(x) - exact) / ulp;
            if (exact <= float.MaxValue) worst = Math.Max(worst, error);
        }

        Assert.InRange(worst, 0.4, 2); // correctly rounded would be 0.5: below that the sweep measures nothing
    }

    [Theory]
    [InlineData(float.NegativeInfinity, 0)]
    [InlineData(-1e30f, 0)]
    [InlineData(-88, 0)]
    [InlineData(0, 1)]
    [InlineData(-0f, 1)]
    [InlineData(89, float.PositiveInfinity)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    [InlineData(float.NaN, float.NaN)]
    public void Exp_at_its_edges(float x, float expected) => Assert.Equal(expected, Exp(x));

    [Theory]
    [InlineData(DType.F16)]
    [InlineData(DType.BF16)]
    public void Every_16_bit_number_widens_exactly(DType type)
    {
        ushort[] bits = [.. Enumerable.Range(0, 1 << 16).Select(i => (ushort)i)];
        float[] widened = new float[bits.Length];
        fixed (ushort* source = bits)
        fixed (float* destination = widened)
        {
            Elements.Widen(type, (byte*)source, destination, bits.Length);
        }

        for (int i = 0; i < bits.Length; i++)
        {
            float expected = type == DType.F16 ? (float)BitConverter.UInt16BitsToHalf(bits[i]) : BitConverter.Int32BitsToSingle(i << 16);
            if (float.IsNaN(expected))
            {
                Assert.True(float.IsNaN(widened[i]), $"bits {i:X4}");
            }
            else
            {
                Assert.Equal(BitConverter.SingleToInt32Bits(expected), BitConverter.SingleToInt32Bits(widened[i]));
            }
        }
    }

    [Fact]
    public void Tanh_is_within_four_ulp_of_double_everywhere()
    {
        double worst = 0;
        for (int i = 0; i <= 2_000_000; i++)
        {
            // Half of the sweep near 0, where 1 - 2/(e^2x + 1) would cancel.
            float x = i % 2 == 0 ? (float)(12.0 * i / 2_000_000) : MathF.Pow(10, -6 + (6.5f * i / 2_000_000));
            double exact = Math.Tanh(x);
            double ulp = Math.ScaleB(1, Math.ILogB(exact) - 23);
            worst = exact == 0 ? worst : Math.Max(worst, Math.Abs(Tanh(x) - exact) / ulp);
            Assert.Equal(-Tanh(x), Tanh(-x));
        }

        Assert.InRange(worst, 0.5, 4);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(-0f, -0f)]
    [InlineData(50, 1)]
    [InlineData(-1e30f, -1)]
    [InlineData(float.PositiveInfinity, 1)]
    [InlineData(float.NegativeInfinity, -1)]
    [InlineData(float.NaN, float.NaN)]
    public void Tanh_at_its_edges(float x, float expected) => Assert.Equal(expected, Tanh(x));

    private static float Tanh(float x) => Lanes.Tanh(Vector256.Create(x))[0];

    private static float Exp(float x) => Lanes.Exp(Vector256.Create(x))[0];
}
