using KvIL.Reference.Simd;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Quantization;

/// <summary>Four weight rows at once, and rows that are widened first, give the bits that each gives alone.</summary>
public sealed unsafe class DotFourTests
{
    public static TheoryData<DType> Types => [.. Enum.GetValues<DType>().Where(type => type != DType.I32)];

    [Theory]
    [MemberData(nameof(Types))]
    public void Is_four_products(DType type)
    {
        int count = type.IsQuantized() ? 512 : 71; // 71: the last elements fill no two vectors
        fixed (byte* weight = FiniteRows(type, count))
        fixed (float* x = X(count))
        {
            WeightRows.Dispatch(type, new Comparison((nint)x, (nint)weight, type.SizeBytes(count), count));
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Widened_rows_give_the_bits_of_packed_ones(DType type)
    {
        const int count = 512;
        fixed (byte* weight = FiniteRows(type, count))
        fixed (float* x = X(count))
        {
            WeightRows.Dispatch(type, new WidenedComparison((nint)x, (nint)weight, count));
        }
    }

    // The second of the rows holds an infinity, so all four are taken again.
    [Fact]
    public void Is_four_products_where_a_half_is_infinite()
    {
        const int count = 71;
        Half[] weights = [.. Enumerable.Range(0, 5 * count).Select(i => (Half)(i % 7 * 0.25f))];
        weights[count + 3] = Half.PositiveInfinity;
        CompareHalves(weights, count, [false, true, false, false]);
    }

    [Fact]
    public void Is_four_products_of_halves()
    {
        const int count = 71;
        CompareHalves([.. Enumerable.Range(0, 5 * count).Select(i => (Half)((i % 13) - (0.3f * (i % 5))))], count, new bool[4]);
    }

    private static void CompareHalves(Half[] weights, int count, bool[] infinite)
    {
        float[] x = X(count), scaled = new float[count];
        fixed (Half* w = weights)
        fixed (float* plain = x, to = scaled)
        {
            Assert.True(HalfRows.TryScale(plain, to, count));
            long stride = DType.F16.SizeBytes(count);
            var four = HalfRows.DotFour(to, (byte*)w, stride, count);
            for (int row = 0; row < 4; row++)
            {
                Assert.Equal(Bits(HalfRows.Dot(to, (byte*)w + (row * stride), count)), Bits(four[row]));
                Assert.Equal(infinite[row], !float.IsFinite(four[row]));
            }
        }
    }

    private static float[] X(int count) => [.. Enumerable.Range(0, count).Select(k => MathF.Sin(k + 1))];

    // Random bytes; those that are scales or elements stay below infinity.
    private static byte[] FiniteRows(DType type, int count)
    {
        byte[] bytes = new byte[4 * type.SizeBytes(count)];
        new Random(5).NextBytes(bytes);
        return [.. bytes.Select(value => (byte)(value & 0x3B))];
    }

    // Every NaN is the same: which of several comes out is not defined.
    private static int Bits(float value) => float.IsNaN(value) ? int.MaxValue : BitConverter.SingleToInt32Bits(value);

    private readonly struct Comparison(nint x, nint weight, long stride, int count) : IWeightAction
    {
        public void Run<TRows>() where TRows : struct, IWeightRows
        {
            var four = TRows.DotFour((float*)x, (byte*)weight, stride, count);
            for (int row = 0; row < 4; row++)
            {
                Assert.Equal(Bits(TRows.Dot((float*)x, (byte*)weight + (row * stride), count)), Bits(four[row]));
            }
        }
    }

    private readonly struct WidenedComparison(nint x, nint weight, int count) : IWeightAction
    {
        public void Run<TRows>() where TRows : struct, IWeightRows
        {
            if (!TRows.SharesWidened) return;
            float[] widened = new float[count];
            fixed (float* row = widened)
            {
                TRows.Widen((byte*)weight, row, count);
                Assert.Equal(Bits(TRows.Dot((float*)x, (byte*)weight, count)), Bits(TRows.DotWidened((float*)x, row, count)));
            }
        }
    }
}
