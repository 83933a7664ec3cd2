using FsCheck;
using FsCheck.Fluent;
using KvIL.Inference.Files.Quantization;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Files;

/// <summary>What is stored stands for numbers near those that were given; the definition of the types says for which.</summary>
public sealed class QuantizerTests
{
    public static TheoryData<DType> Types => [.. Enum.GetValues<DType>().Where(type => type.IsQuantized())];

    [Theory]
    [MemberData(nameof(Types))]
    public void Each_weight_is_within_a_step(DType type)
    {
        Prop.ForAll(Rows(type), row =>
        {
            float[] back = Widened(type, Stored(type, row));
            int block = type.BlockElements();
            for (int start = 0; start < row.Length; start += block)
            {
                float[] x = row[start..(start + block)];
                double bound = Bound(type, x);
                for (int i = 0; i < block; i++)
                {
                    if (!(Math.Abs(x[i] - back[start + i]) <= bound))
                    {
                        return false.Label($"{type}[{start + i}]: {x[i]} became {back[start + i]}, bound {bound}");
                    }
                }
            }

            return true.Label("");
        }).Check(Properties.Config(60));
    }

    [Theory]
    [InlineData(DType.Q8_0)]
    [InlineData(DType.Q4_0)]
    [InlineData(DType.Q5_0)]
    public void What_a_scale_can_hold_stays_as_it_is(DType type)
    {
        Prop.ForAll(Rows(type), row =>
        {
            byte[] stored = Stored(type, row);
            return Stored(type, Widened(type, stored)).AsSpan().SequenceEqual(stored);
        }).Check(Properties.Config(100));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Rows_of_zeros_and_of_one_number_are_stored(DType type)
    {
        int n = type.BlockElements();
        Assert.All(Widened(type, Stored(type, new float[n])), w => Assert.Equal(0, w));
        // Scales beyond binary16 saturate: finite all the same.
        Assert.All(Widened(type, Stored(type, [.. Enumerable.Repeat(1e30f, n)])), w => Assert.True(float.IsFinite(w)));
        // The sign that a type has fewer levels for is off by a step of 4 for Q3_K, and so on.
        float[] ones = Widened(type, Stored(type, [.. Enumerable.Repeat(1f, n)]));
        Assert.All(ones, w => Assert.InRange(w, 0.99f, 1.01f));
        float[] minus = Widened(type, Stored(type, [.. Enumerable.Repeat(-1f, n)]));
        Assert.All(minus, w => Assert.InRange(w, -1.01f, -0.99f));
    }

    [Fact]
    public void Plain_types_round_to_the_nearest()
    {
        float[] row = [1, -2.5f, 1 + (1 / 256f), 1 + (3 / 256f), 65504];
        byte[] stored = new byte[10];
        Quantizer.Quantize(DType.BF16, row, stored);
        Assert.Equal([1f, -2.5f, 1f, 1 + (4 / 256f), 65536f], Enumerable.Range(0, 5).Select(i => BitConverter.UInt32BitsToSingle((uint)BitConverter.ToUInt16(stored, 2 * i) << 16)));
        Quantizer.Quantize(DType.F16, row, stored);
        Assert.Equal(row, Enumerable.Range(0, 5).Select(i => (float)BitConverter.ToHalf(stored, 2 * i)));
    }

    [Fact]
    public void Lengths_that_do_not_fit_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Quantizer.Quantize(DType.Q8_0, new float[32], new byte[33]));
        Assert.Throws<ArgumentException>(() => Quantizer.Quantize(DType.Q8_0, new float[31], new byte[34]));
        Assert.Throws<ArgumentException>(() => Quantizer.Quantize(DType.I32, new float[1], new byte[4]));
        Assert.False(Quantizer.Supports(DType.I32));
    }

    // Half a step, plus what rounding the scales costs; binary16 rounds by 2^-11 of a scale, twice that bounds it.
    private static double Bound(DType type, float[] x)
    {
        const double half = 1 / 1024.0;
        double extreme = x.Max(MathF.Abs);
        double range = x.Max() - x.Min();
        double positive = Math.Max(0, x.Max()) - Math.Min(0, x.Min());
        return type switch
        {
            DType.Q8_0 => extreme * ((0.5 / 127) + half),
            // The sign that is not the extreme one's has a level fewer: up to a whole step.
            DType.Q4_0 => extreme * ((1.0 / 8) + half),
            DType.Q5_0 => extreme * ((1.0 / 16) + half),
            DType.Q4_1 => (range * 0.5 / 15) + ((range + extreme) * half),
            DType.Q5_1 => (range * 0.5 / 31) + ((range + extreme) * half),
            // A group's scale is off by half a 63rd (15th) of the largest, and its integers go up to 15 (31, 3); so is its minimum.
            DType.Q4_K => (positive / 15 * (0.5 + (15 * 0.5 / 63))) + (extreme * 0.5 / 63) + ((positive + extreme) * half),
            DType.Q5_K => (positive / 31 * (0.5 + (31 * 0.5 / 63))) + (extreme * 0.5 / 63) + ((positive + extreme) * half),
            DType.Q2_K => (positive / 3 * (0.5 + (3 * 0.5 / 15))) + (extreme * 0.5 / 15) + ((positive + extreme) * half),
            // A scale may round up to half of its own unit, times 32 (4); one level fewer for the other sign.
            DType.Q6_K => extreme / 32 * (1 + (32 * 0.5 / 128) + half + (32 / 128.0)),
            DType.Q3_K => extreme / 4 * (1 + (4 * 0.5 / 32) + half + (4 / 32.0)),
            _ => throw new ArgumentOutOfRangeException(nameof(type)),
        };
    }

    private static byte[] Stored(DType type, float[] row)
    {
        byte[] stored = new byte[type.SizeBytes(row.Length)];
        Quantizer.Quantize(type, row, stored);
        return stored;
    }

    private static float[] Widened(DType type, byte[] stored)
    {
        float[] row = new float[stored.Length / type.BlockBytes() * type.BlockElements()];
        Dequantization.ToFloat32(type, stored, row);
        return row;
    }

    // Magnitudes from 1e-3 to 1e3 in a block of its own or mixed, zeros among them; scales stay far from subnormal.
    private static Arbitrary<float[]> Rows(DType type)
    {
        Gen<float> element =
            from sign in Gen.Elements(-1f, 1f, 0f)
            from exponent in Gen.Choose(-3, 3)
            from mantissa in Gen.Choose(1000, 9999)
            select sign * mantissa / 1000f * MathF.Pow(10, exponent);
        Gen<float> even = Gen.Choose(-10_000, 10_000).Select(value => value / 10_000f);
        return Gen.OneOf(element, even).ArrayOf(2 * type.BlockElements()).ToArbitrary();
    }
}
