using System.Numerics;
using FsCheck;
using FsCheck.Fluent;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>A stack of layers and what each may keep on average.</summary>
public sealed record LayerCase(int Layers, int Rows, int Candidates, int Beta)
{
    public static Arbitrary<LayerCase> Cases { get; } = Arb.From(
        from layers in Gen.Choose(1, 40)
        from n in Gen.Choose(0, 300)
        from rows in Gen.Choose(0, n + 5)
        from beta in Gen.Elements(1, 2, 3, 7, 20, 100)
        select new LayerCase(layers, rows, n, beta), Shrink);

    private static IEnumerable<LayerCase> Shrink(LayerCase c)
    {
        if (c.Layers > 1) yield return c with { Layers = c.Layers - 1 };
        if (c.Rows > 0) yield return c with { Rows = c.Rows - 1 };
        if (c.Candidates > 0) yield return c with { Candidates = c.Candidates - 1 };
        if (c.Beta > 1) yield return c with { Beta = c.Beta - 1 };
    }
}

/// <summary>How rows are split over the layers.</summary>
public sealed class LayerBudgetLaws
{
    private delegate void Schedule(int rows, int candidates, int beta, Span<int> budgets);

    [Fact]
    public void The_pyramid_meets_its_total_falls_and_fits() =>
        Law.ForAll(LayerCase.Cases, c => IsPyramid(c, LayerBudgets.PyramidExact));

    [Fact]
    public void The_pyramid_is_within_one_row_of_its_ideal() => Law.ForAll(LayerCase.Cases, c =>
    {
        if (c.Layers < 2 || c.Rows >= c.Candidates) return;

        // high = min(n, 2·rows − rows/β); x_l = high − l (high − low)/(L − 1) with low = 2·rows − high; everything over β (L − 1).
        BigInteger high = BigInteger.Min((BigInteger)c.Candidates * c.Beta, ((BigInteger)2 * c.Rows * c.Beta) - c.Rows);
        BigInteger low = ((BigInteger)2 * c.Rows * c.Beta) - high;
        BigInteger unit = (BigInteger)c.Beta * (c.Layers - 1);
        int[] budgets = Run(LayerBudgets.PyramidExact, c);
        for (int l = 0; l < c.Layers; l++)
        {
            BigInteger ideal = (high * (c.Layers - 1)) - (l * (high - low));
            Assert.True(BigInteger.Abs((budgets[l] * unit) - ideal) < unit);
        }
    });

    [Fact]
    public void Beta_1_is_uniform() => Law.ForAll(LayerCase.Cases, c => Assert.Equal(
        Enumerable.Repeat(Math.Min(c.Rows, c.Candidates), c.Layers), Run(LayerBudgets.PyramidExact, c with { Beta = 1 })));

    [Fact]
    public void Mutant_the_published_arithmetic_exceeds_its_total() => Law.Catches(LayerCase.Cases, c =>
    {
        if (c.Layers < 2 || c.Rows >= c.Candidates) return;
        IsPyramid(c, Published);
    });

    [Fact]
    public void Mutant_the_pyramid_upside_down() => Law.Catches(LayerCase.Cases, c => IsPyramid(c, (rows, n, beta, budgets) =>
    {
        LayerBudgets.PyramidExact(rows, n, beta, budgets);
        budgets.Reverse();
    }));

    [Fact]
    public void Mutant_remainders_to_the_last_layers() => Law.Catches(LayerCase.Cases, c => IsPyramid(c, (rows, n, beta, budgets) =>
    {
        LayerBudgets.PyramidExact(rows, n, beta, budgets);
        if (rows >= n || budgets.Length < 2 || budgets[0] <= budgets[^1]) return;
        budgets[0]--;
        budgets[^1]++;
    }));

    [Fact]
    public void A_second_prompt_gets_its_own_schedule()
    {
        int[] Pyramid(int n) => Run(LayerBudgets.PyramidExact, new LayerCase(6, 24, n, 20));
        int[] first = Pyramid(292);
        Assert.NotEqual(first, Pyramid(32));
        Assert.Equal(first, Pyramid(292));
    }

    [Theory]
    [InlineData(100, "0.9", 10, 9)]
    [InlineData(24, "0.3", 16, 16)]
    [InlineData(1000, "0.7", 300, 300)]
    [InlineData(50, "0.98", 1, 1)]
    [InlineData(24, "0.98", 0, 0)]
    public void Keep_counts(int seqLen, string removed, int exact, int published)
    {
        Assert.Equal(exact, LayerBudgets.KeepCount(seqLen, Ratio.Parse(removed)));
        Assert.Equal(published, LayerBudgets.KeepCountCompat(seqLen, double.Parse(removed, System.Globalization.CultureInfo.InvariantCulture)));
    }

    [Theory]
    [InlineData(5, 10, 0.5, 7.5f, 8)]
    [InlineData(3, 10, 0.5, 6.5f, 6)]
    [InlineData(4, 11, 0.5, 7f, 7)]
    public void Published_head_budgets_round_halves_to_even(int adaptive, int layerBase, double floor, float quota, int rows)
    {
        Assert.Equal(quota, Compat.AdaQuota(adaptive, layerBase, floor));
        Assert.Equal(rows, Compat.AdaBudget(adaptive, layerBase, floor, 100));
        Assert.Equal(rows - 1, Compat.AdaBudget(adaptive, layerBase, floor, rows - 1));
    }

    [Fact]
    public void Numbers_outside_their_range_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerBudgets.PyramidExact(1, 2, 0, new int[2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerBudgets.PyramidExact(-1, 2, 1, new int[2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerBudgets.PyramidCompat(1, 2, 20, 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerBudgets.KeepCount(10, new Ratio(3, 2)));
    }

    private static void IsPyramid(LayerCase c, Schedule schedule)
    {
        int[] budgets = Run(schedule, c);
        Assert.Equal((long)c.Layers * Math.Min(c.Rows, c.Candidates), budgets.Sum(b => (long)b));
        Assert.All(budgets, b => Assert.InRange(b, 0, c.Candidates));
        Assert.Equal(budgets.OrderDescending(), budgets);
    }

    private static void Published(int rows, int candidates, int beta, Span<int> budgets)
    {
        for (int l = 0; l < budgets.Length; l++) budgets[l] = LayerBudgets.PyramidCompat(rows, candidates, beta, l, budgets.Length);
    }

    private static int[] Run(Schedule schedule, LayerCase c)
    {
        int[] budgets = new int[c.Layers];
        schedule(c.Rows, c.Candidates, c.Beta, budgets);
        return budgets;
    }
}
