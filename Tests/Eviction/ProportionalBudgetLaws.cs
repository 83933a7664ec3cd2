using System.Numerics;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>Fixed tables and preferences: proportional to weights, capped, with an exact total.</summary>
public sealed class ProportionalBudgetLaws
{
    private delegate int[] Splitter(long[] weights, int[] capacities, long total);

    [Fact]
    public void The_total_is_met_exactly_and_none_exceeds_its_capacity() => Law.ForAll(LayerSplitCase.Cases, c => MeetsTotal(c, Split));

    [Fact]
    public void Every_entry_is_within_one_row_of_its_ideal() => Law.ForAll(LayerSplitCase.Cases, c => IsNearIdeal(c, Split));

    [Fact]
    public void Spare_rows_go_to_the_largest_remainders() => Law.ForAll(LayerSplitCase.Cases, c => GoesByRemainder(c, Split));

    [Fact]
    public void Scaling_the_weights_changes_nothing() => Law.ForAll(LayerSplitCase.Cases, c =>
    {
        for (int total = 0; total <= c.Rows; total++)
        {
            Assert.Equal(Split(c.Weights(), c.Capacities, total), Split([.. c.Weights().Select(w => w * 1000)], c.Capacities, total));
        }
    });

    [Fact]
    public void Equal_weights_are_the_uniform_split_of_equal_entries() => Law.ForAll(AllocationCase.Equal, c =>
    {
        for (int total = 0; total <= c.Rows; total++)
        {
            int[] uniform = Allocation.Uniform(c.Candidates, total);
            Assert.Equal(uniform, Split([.. c.Candidates.Select(_ => 3L)], c.Candidates, total));
            Assert.Equal(uniform, Split(new long[c.Heads], c.Candidates, total)); // no preference at all
        }
    });

    [Fact]
    public void Entries_without_weight_get_what_the_others_cannot_take()
    {
        Assert.Equal([4, 0, 0], Split([1, 0, 0], [5, 5, 5], 4));
        Assert.Equal([5, 2, 1], Split([1, 0, 0], [5, 5, 5], 8));
        Assert.Equal([5, 5, 5], Split([1, 0, 0], [5, 5, 5], 99));
    }

    [Fact]
    public void Preferences_become_weights()
    {
        Assert.Equal([1L << 31, 1L << 30, 0, 0, 0], ProportionalBudgets.Weights([2, 1, 0, double.NaN, -1]));
        Assert.Equal([0, 1L << 31, 0], ProportionalBudgets.Weights([5, double.PositiveInfinity, 1]));
        Assert.Equal([0L, 0], ProportionalBudgets.Weights([0, 0]));
    }

    [Fact]
    public void Numbers_outside_their_range_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Split([1], [1, 2], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Split([-1], [1], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Split([1], [-1], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Split([1], [1], -1));
        Assert.Throws<OverflowException>(() => Split([long.MaxValue, 1], [1, 1], 1));
    }

    [Fact]
    public void Published_capacities_and_tables_drift()
    {
        Assert.Equal([31, 21, 32, 30], Compat.HeadKvBudgets([31, 31, 21, 21, 32, 31, 38, 22], 4)); // 31.5 to the even 32
        int[] published = Compat.LuKvBudgets(10, [0.95f, 0.95f, 0.99f, 0.96f]); // 1.5 rows in all, but every head has one
        Assert.Equal([1, 1, 1, 1], published);
        Assert.Equal([1, 1, 0, 0], Split([5, 5, 1, 4], [10, 10, 10, 10], 2));
    }

    [Fact]
    public void Cakes_published_budgets_meet_their_total() => Law.ForAll(LayerSplitCase.Cases, c =>
    {
        for (int total = c.Layers; total <= c.Layers * 9; total++) Assert.Equal(total, Cake(c.Weights(), [.. c.Capacities.Select(_ => 9)], total).Sum());
    });

    [Fact]
    public void Mutant_cakes_even_spread_is_not_by_remainder() => Law.Catches(LayerSplitCase.Cases, c => GoesByRemainder(c, Cake));

    [Fact]
    public void Mutant_truncation_loses_rows() => Law.Catches(LayerSplitCase.Cases, c => MeetsTotal(c, (weights, capacities, total) =>
        [.. weights.Select((w, i) => (int)Math.Min(capacities[i], w * total / weights.Sum()))]));

    [Fact]
    public void Mutant_what_full_entries_leave_goes_to_the_first() => Law.Catches(LayerSplitCase.Cases, c => IsNearIdeal(c, (weights, capacities, total) =>
    {
        int[] budgets = [.. weights.Select((w, i) => (int)Math.Min(capacities[i], w * total / weights.Sum()))];
        for (int i = 0; i < budgets.Length; i++) budgets[i] += (int)Math.Min(capacities[i] - budgets[i], total - budgets.Sum());
        return budgets;
    }));

    [Fact]
    public void What_is_not_promised_a_budget_may_fall_when_the_total_grows() => Law.Catches(
        LayerSplitCase.Cases,
        c =>
        {
            for (int total = 0; total < c.Rows; total++)
            {
                (int[] fewer, int[] more) = (Split(c.Weights(), c.Capacities, total), Split(c.Weights(), c.Capacities, total + 1));
                Assert.All(fewer.Zip(more), b => Assert.True(b.First <= b.Second));
            }
        },
        2000);

    private static int[] Split(long[] weights, int[] capacities, long total)
    {
        int[] budgets = new int[weights.Length];
        ProportionalBudgets.Split(weights, capacities, total, budgets);
        return budgets;
    }

    private static int[] Cake(long[] weights, int[] capacities, long total) =>
        Compat.CakeBudgets([.. weights.Select(w => (float)w)], (int)total, capacities.Max());

    private static void MeetsTotal(LayerSplitCase c, Splitter split)
    {
        for (int total = 0; total <= c.Rows + 2; total++)
        {
            int[] budgets = split(c.Weights(), c.Capacities, total);
            Assert.Equal(Math.Min(total, c.Rows), budgets.Sum());
            Assert.All(budgets.Zip(c.Capacities), b => Assert.InRange(b.First, 0, b.Second));
        }
    }

    private static void IsNearIdeal(LayerSplitCase c, Splitter split)
    {
        for (int total = 0; total < c.Rows; total++)
        {
            (BigInteger[] ideal, BigInteger unit) = LayerSplits.IdealShares(c.Weights(), c.Capacities, total);
            int[] budgets = split(c.Weights(), c.Capacities, total);
            Assert.All(budgets.Zip(ideal), b => Assert.True(BigInteger.Abs((b.First * unit) - b.Second) < unit));
        }
    }

    private static void GoesByRemainder(LayerSplitCase c, Splitter split)
    {
        int[] equal = [.. c.Capacities.Select(_ => c.Capacities.Max())];
        for (int total = 0; total < equal.Sum(); total++)
        {
            (BigInteger[] ideal, BigInteger unit) = LayerSplits.IdealShares(c.Weights(), equal, total);
            int[] budgets = split(c.Weights(), equal, total);
            for (int i = 0; i < budgets.Length; i++)
            {
                for (int j = 0; j < budgets.Length; j++)
                {
                    bool up = budgets[i] > ideal[i] / unit, down = budgets[j] == ideal[j] / unit;
                    if (up && down) Assert.True(HeadShares.RemainderComesFirst((long)(ideal[i] % unit), i, (long)(ideal[j] % unit), j));
                }
            }
        }
    }
}
