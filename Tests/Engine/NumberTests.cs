using System.Runtime.Intrinsics;
using KvIL.Eviction;
using KvIL.Reference.Kernels;
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

    [Fact]
    public void Exp2_is_within_two_ulp_of_double_everywhere_below_zero()
    {
        double worst = 0;
        for (int i = 0; i <= 4_000_000; i++)
        {
            float x = -(float)(126.0 * i / 4_000_000);
            double exact = Math.Pow(2, x);
            double ulp = Math.ScaleB(1, Math.ILogB(exact) - 23);
            worst = Math.Max(worst, Math.Abs(Exp2(x) - exact) / ulp);
        }

        Assert.InRange(worst, 0.4, 2);
    }

    [Theory]
    [InlineData(float.NegativeInfinity, 0)]
    [InlineData(-1e30f, 0)]
    [InlineData(float.MinValue, 0)]
    [InlineData(-126.5f, 0)]
    [InlineData(-126, 1.1754943508e-38f)]
    [InlineData(-1, 0.5f)]
    [InlineData(0, 1)]
    [InlineData(-0f, 1)]
    [InlineData(float.NaN, float.NaN)]
    public void Exp2_at_its_edges(float x, float expected) => Assert.Equal(expected, Exp2(x));

    [Theory]
    [InlineData(0x7FC00001)]
    [InlineData(0x7F800001)]
    [InlineData(0x7FFFFFFF)]
    [InlineData(unchecked((int)0xFFC001FF))]
    public void Any_NaN_stays_one(int bits)
    {
        float x = BitConverter.Int32BitsToSingle(bits);
        Assert.True(float.IsNaN(Exp2(x)), "2^x");
    }

    [Fact]
    public void Keys_of_eight_scores_are_those_of_each()
    {
        Random random = new(1);
        float[] scores = [.. Enumerable.Range(0, 1 << 16).Select(_ => BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)))];
        float[] specials = [0, -0f, float.NaN, -float.NaN, float.NegativeInfinity, float.PositiveInfinity, float.Epsilon, -float.Epsilon];
        specials.CopyTo(scores, 0);
        for (int i = 0; i < scores.Length; i += 8)
        {
            Vector256<uint> keys = ScoreKeys.Of(Vector256.Create(scores, i));
            Assert.Equal(scores.AsSpan(i, 8).ToArray().Select(ScoreOrder.Key), Enumerable.Range(0, 8).Select(lane => keys[lane]));
            foreach (int shift in (int[])[24, 16, 8, 0])
            {
                uint expected = (uint)Enumerable.Range(0, 8).Sum(lane => ScoreOrder.MatchesAbove(keys[lane], keys[3], shift) ? 1 << lane : 0);
                Assert.Equal(expected, ScoreKeys.MatchesAbove(keys, keys[3], shift));
            }
        }
    }

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

    private static float Exp2(float x) => Lanes.Exp2OfNonPositive(Vector256.Create(x))[0];

    private static float Exp(float x) => Lanes.Exp(Vector256.Create(x))[0];
}
