using KvIL.Conformance;
using KvIL.Conformance.Generators;
using KvIL.Conformance.Laws;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Laws;

/// <summary>The measuring tools are measured: constants, rounding, comparisons and generators.</summary>
public sealed class ToleranceTests
{
    [Fact]
    public void Constants_are_the_powers_of_two_that_their_names_say()
    {
        Assert.Equal(Tolerance.U, Math.ScaleB(1, -24));
        Assert.Equal(2 * Tolerance.U, float.BitIncrement(1) - 1);
        Assert.Equal(Tolerance.Tiny, Math.ScaleB(1, -126));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(9)]
    [InlineData(129)]
    public void Float_sums_in_any_order_stay_within_the_reduction_bound_and_sums_in_half_do_not(int n)
    {
        int halvesCaught = 0;
        for (int seed = 0; seed < 200; seed++)
        {
            double[] terms = [.. Draw.Values(seed, 0, n, ValueKind.Normal).Select(x => (double)(float)x)];
            double truth = terms.Sum(), bound = Tolerance.Reduction(n, terms.Sum(Math.Abs));
            Assert.InRange(Math.Abs(terms.Aggregate(0f, (sum, x) => sum + (float)x) - truth), 0, bound);
            Assert.InRange(Math.Abs(terms.Reverse().Aggregate(0f, (sum, x) => sum + (float)x) - truth), 0, bound);
            double half = (double)terms.Aggregate((Half)0, (sum, x) => sum + (Half)x);
            if (Math.Abs(half - truth) > bound) halvesCaught++;
        }

        Assert.InRange(halvesCaught, 190, 200);
    }

    [Theory]
    [InlineData(1.0, 1.0)]
    [InlineData(1.00390625, 1.0)] // 1 + 2^-8, halfway: to the even neighbour
    [InlineData(1.01171875, 1.015625)] // 1 + 3·2^-8, halfway: to the even neighbour
    [InlineData(-1.0040, -1.0078125)]
    [InlineData(double.PositiveInfinity, double.PositiveInfinity)]
    public void BFloat16_rounds_to_nearest_even(double value, double expected) =>
        Assert.Equal(expected, Numbers.Round(value, DType.BF16));

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F16)]
    [InlineData(DType.BF16)]
    public void What_a_type_can_store_is_encoded_and_decoded_exactly(DType type)
    {
        byte[] bytes = new byte[4];
        foreach (double value in Draw.Values(1, 0, 1000, ValueKind.Normal))
        {
            double stored = Numbers.Round((float)value, type);
            Numbers.Encode(stored, type, bytes);
            Assert.Equal(stored, Numbers.Decode(bytes, type));
        }
    }

    [Theory]
    [InlineData(1.0, 1.0, 0.0, true)]
    [InlineData(1.0, 1.5, 0.5, true)]
    [InlineData(1.0, 1.5, 0.4, false)]
    [InlineData(0.0, -0.0, 0.0, true)]
    [InlineData(double.NaN, double.NaN, 0.0, true)]
    [InlineData(1.0, double.NaN, 1.0, false)]
    [InlineData(double.NaN, 1.0, 1.0, false)]
    [InlineData(double.PositiveInfinity, double.MaxValue, double.PositiveInfinity, false)]
    [InlineData(1.0, double.PositiveInfinity, 1.0, false)]
    public void Within_accepts_what_lies_within(double expected, double actual, double bound, bool accepted) =>
        Assert.Equal(accepted, Record.Exception(() => Expect.Within([expected], [actual], _ => bound)) is null);

    [Fact]
    public void Same_tells_the_zeros_apart() =>
        Assert.Throws<LawViolation>(() => Expect.Same("x", HostTensor.F32([0.0], 1), HostTensor.F32([-0.0], 1)));

    [Fact]
    public void A_case_is_rebuilt_by_its_seed_and_every_shrinking_ends()
    {
        foreach (Law law in LawCatalogue.All)
        {
            object @case = law.Generate(7);
            Assert.Equal(@case, law.Generate(7));
            int steps = 0;
            while (law.Shrink(@case).FirstOrDefault() is object smaller)
            {
                @case = smaller;
                Assert.True(++steps < 1000, $"{law.Name} shrinks without end.");
            }
        }
    }

    [Fact]
    public void Laws_have_names_of_their_own() =>
        Assert.Equal(LawCatalogue.All.Length, LawCatalogue.All.Select(law => law.Name).Distinct().Count());
}
