using KvIL.Conformance;
using KvIL.Plans;
using KvIL.Reference;
using KvIL.Reference.Simd;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Quantization;

/// <summary>F16 rows against a scaled x: what the law of Linear, whose weights are ordinary, does not reach.</summary>
public sealed unsafe class HalfRowsTests
{
    private const int Width = 77; // two whole steps of 32, and a rest

    public static TheoryData<int, float> Specials => new()
    {
        { 0, float.PositiveInfinity }, { 40, float.NegativeInfinity }, { 63, float.NaN }, { 64, float.PositiveInfinity }, { 76, float.NaN },
    };

    [Theory]
    [MemberData(nameof(Specials))]
    public void A_row_with_an_infinity_or_NaN_gives_it(int place, float special)
    {
        Half[] row = [.. Enumerable.Range(0, Width).Select(k => k == place ? (Half)special : (Half)(1 + (k / 100f)))];
        Assert.Equal(special, Dot(row, [.. Enumerable.Repeat(1f, Width)]));
    }

    [Fact]
    public void Subnormal_weights_count_exactly()
    {
        Half[] row = [.. Enumerable.Range(0, Width).Select(k => BitConverter.UInt16BitsToHalf((ushort)(k + 1)))];
        Assert.Equal(Width * (Width + 1) / 2 * MathF.ScaleB(1, -24), Dot(row, [.. Enumerable.Repeat(1f, Width)]));
    }

    [Fact]
    public void The_largest_and_smallest_weights_are_no_specials()
    {
        Half[] row = [.. Enumerable.Range(0, Width).Select(k => k % 2 == 0 ? Half.MaxValue : Half.MinValue)];
        Assert.Equal(65504, Dot(row, [.. Enumerable.Repeat(1f, Width)]));
    }

    /// <summary>x that 2¹¹² would take beyond float32 is multiplied without.</summary>
    [Theory]
    [InlineData(65535f, true)]
    [InlineData(65536f, false)]
    [InlineData(-3e38f, false)]
    [InlineData(float.PositiveInfinity, false)]
    public void A_large_x_is_not_scaled(float largest, bool scales)
    {
        float* x = stackalloc float[2], scaled = stackalloc float[2];
        (x[0], x[1]) = (1, largest);
        Assert.Equal(scales, HalfRows.TryScale(x, scaled, 2));

        using ReferenceBackend backend = new(1);
        using PlanRunner runner = new(backend);
        Scenario s = new("large");
        Slot y = s.Output(s.Builder.Linear(
            s.Input("x", HostTensor.F32([1, largest], 1, 2)), s.Input("weight", HostTensor.Weight(DType.F16, [0, 0.5], 1, 2))));
        Assert.Equal(0.5 * largest, runner.Run(s).Reals(y)[0]);
    }

    private static float Dot(Half[] row, float[] x)
    {
        float[] scaled = new float[x.Length];
        fixed (Half* w = row)
        fixed (float* plain = x, to = scaled)
        {
            Assert.True(HalfRows.TryScale(plain, to, x.Length));
            return HalfRows.Dot(to, (byte*)w, x.Length);
        }
    }
}
