using FsCheck;
using FsCheck.Fluent;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Reference.Kernels;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>A row of scores and a kernel, around the edges of vectors.</summary>
public sealed record PoolCase(int Length, int Kernel, Values Values, int Seed)
{
    public static Arbitrary<PoolCase> Cases { get; } = Arb.From(
        from n in Gen.Elements(0, 1, 2, 6, 15, 16, 17, 31, 48, 65)
        from k in Gen.Elements(1, 3, 5, 7, 21, 99)
        from values in Gen.Elements(Enum.GetValues<Values>())
        from seed in Gen.Choose(0, 1 << 20)
        select new PoolCase(n, k, values, seed), Shrink);

    public float[] Scores() => new AllocationCase([Length], default, Values, Seed).Scores()[0];

    private static IEnumerable<PoolCase> Shrink(PoolCase c)
    {
        if (c.Length > 0) yield return c with { Length = c.Length - 1 };
        if (c.Kernel > 1) yield return c with { Kernel = c.Kernel - 2 };
    }
}

/// <summary>Pooling along a row.</summary>
public sealed class PoolLaws
{
    private delegate void Pooling(ReadOnlySpan<float> x, int kernel, Span<float> y);

    private const double U = 1.0 / (1 << 24); // unit roundoff of binary32

    [Fact]
    public void Max_equals_the_definition() => Law.ForAll(PoolCase.Cases, c => MaxIsDefinition(c, Pool.Max));

    [Fact]
    public void Average_equals_the_definition_within_gamma() =>
        Law.ForAll(PoolCase.Cases, c => AverageIsDefinition(c, Pool.Average));

    [Fact]
    public void Average_has_the_bits_of_the_written_order() => Law.ForAll(PoolCase.Cases, c =>
    {
        float[] x = c.Scores();
        int half = c.Kernel / 2;
        Assert.Equal(x.Select((_, j) => Enumerable.Range(-half, c.Kernel).Where(o => j + o >= 0 && j + o < x.Length)
            .Aggregate(0f, (sum, o) => sum + x[j + o]) / c.Kernel).Select(Bits), Run(Pool.Average, x, c.Kernel).Select(Bits));
    });

    [Fact]
    public void Kernel_1_is_the_identity() => Law.ForAll(PoolCase.Cases, c =>
    {
        float[] x = (c with { Values = Values.Ties }).Scores();
        Assert.Equal(x, Run(Pool.Average, x, 1));
        Assert.Equal(x, Run(Pool.Max, x, 1));
    });

    [Fact]
    public void Reversing_commutes_with_pooling() => Law.ForAll(PoolCase.Cases, c =>
    {
        float[] x = (c with { Values = Values.Distinct }).Scores(); // whole numbers: sums are exact
        Assert.Equal(Run(Pool.Max, x, c.Kernel).Reverse(), Run(Pool.Max, [.. x.Reverse()], c.Kernel));
        Assert.Equal(Run(Pool.Average, x, c.Kernel).Reverse(), Run(Pool.Average, [.. x.Reverse()], c.Kernel));
    });

    [Fact]
    public void Averages_shrink_towards_the_ends() =>
        Assert.Equal([4 / 7f, 5 / 7f, 6 / 7f, 1, 1, 6 / 7f, 5 / 7f, 4 / 7f], Run(Pool.Average, [.. Enumerable.Repeat(1f, 8)], 7));

    [Fact]
    public void Average_commutes_with_the_mean_over_queries_and_max_does_not()
    {
        double[,] first = { { 1, 0, 0, 0 } }, second = { { 0, 1, 0, 0 } }, mean = { { .5, .5, 0, 0 } };
        foreach (PoolKind kind in Enum.GetValues<PoolKind>())
        {
            double[,] late = WindowScores.Pool(mean, 3, kind);
            (double[,] a, double[,] b) = (WindowScores.Pool(first, 3, kind), WindowScores.Pool(second, 3, kind));
            double[] early = [.. Enumerable.Range(0, 4).Select(j => (a[0, j] + b[0, j]) / 2)];
            double apart = Enumerable.Range(0, 4).Max(j => Math.Abs(early[j] - late[0, j]));
            Assert.Equal(kind == PoolKind.Max ? 0.5 : 0, apart, 15);
        }
    }

    [Fact]
    public void Mutant_max_padded_with_zero() => Law.Catches(PoolCase.Cases, c => MaxIsDefinition(c, (x, kernel, y) =>
    {
        Pool.Max(x, kernel, y);
        for (int j = 0; j < y.Length; j++) if (j < kernel / 2) y[j] = Math.Max(y[j], 0);
    }));

    [Fact]
    public void Mutant_max_in_which_NaN_wins() => Law.Catches(PoolCase.Cases, c => MaxIsDefinition(c, (x, kernel, y) =>
    {
        for (int j = 0; j < y.Length; j++)
        {
            y[j] = float.NegativeInfinity;
            for (int i = Math.Max(0, j - (kernel / 2)); i <= Math.Min(j + (kernel / 2), x.Length - 1); i++) y[j] = MathF.Max(y[j], x[i]);
        }
    }));

    [Fact]
    public void Mutant_average_over_the_rows_that_exist() => Law.Catches(PoolCase.Cases, c => AverageIsDefinition(c, (x, kernel, y) =>
    {
        Pool.Average(x, kernel, y);
        for (int j = 0; j < y.Length; j++)
        {
            int there = Math.Min(x.Length - 1, j + (kernel / 2)) - Math.Max(0, j - (kernel / 2)) + 1;
            y[j] = y[j] * kernel / there;
        }
    }));

    private static void MaxIsDefinition(PoolCase c, Pooling pool)
    {
        // The definition knows no NaN; the kernel's rule is that NaN is -infinity.
        float[] x = c.Scores();
        double[] numbers = [.. x.Select(v => float.IsNaN(v) ? double.NegativeInfinity : v)];
        Assert.Equal(x.Select((_, j) => (float)WindowScores.PoolAt(numbers, j, c.Kernel, PoolKind.Max)), Run(pool, x, c.Kernel));
    }

    private static void AverageIsDefinition(PoolCase c, Pooling pool)
    {
        float[] x = c.Scores();
        float[] y = Run(pool, x, c.Kernel);
        double[] numbers = [.. x.Select(v => (double)v)];
        double[] sizes = [.. numbers.Select(Math.Abs)];
        for (int j = 0; j < x.Length; j++)
        {
            double expected = WindowScores.PoolAt(numbers, j, c.Kernel, PoolKind.Avg);
            if (!double.IsFinite(expected))
            {
                Assert.Equal(expected, y[j]);
                continue;
            }

            // k additions and a division: γ_(k+1) of the sum of magnitudes (Higham 2002, §3.1).
            double gamma = (c.Kernel + 1) * U / (1 - ((c.Kernel + 1) * U));
            Assert.InRange(Math.Abs(y[j] - expected), 0, gamma * WindowScores.PoolAt(sizes, j, c.Kernel, PoolKind.Avg));
        }
    }

    private static float[] Run(Pooling pool, float[] x, int kernel)
    {
        float[] y = new float[x.Length];
        pool(x, kernel, y);
        return y;
    }

    private static int Bits(float x) => float.IsNaN(x) ? -1 : BitConverter.SingleToInt32Bits(x);
}
