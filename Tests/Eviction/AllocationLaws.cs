using KvIL.Conformance.Theory;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>
/// How a store's rows are split over its heads: for every B from 0 to more than there is, every rule, every floor
/// share.
/// </summary>
public sealed class AllocationLaws
{
    internal delegate int[] Allocator(float[][] scores, long total, HeadAllocation mode, Ratio floor);

    private static readonly HeadAllocation[] Modes = [.. Enum.GetValues<HeadAllocation>().Where(mode => mode != HeadAllocation.Table)];

    [Fact]
    public void Kernel_equals_the_definition_by_sorting() =>
        Law.ForAll(AllocationCase.Ragged, c => EqualsDefinition(c, AllocationCase.Kernel));

    [Fact]
    public void Total_is_met_exactly_and_no_head_exceeds_its_candidates() =>
        Law.ForAll(AllocationCase.Ragged, c => MeetsTotal(c, AllocationCase.Kernel));

    [Fact]
    public void Floor_share_0_is_pure_and_1_is_uniform() => Law.ForAll(AllocationCase.Ragged, c =>
    {
        float[][] scores = c.Scores();
        for (int total = 0; total <= c.Rows; total++)
        {
            int[] Kernel(HeadAllocation mode, int r) => AllocationCase.Kernel(scores, total, mode, new Ratio(r, 1));
            int[] pure = Kernel(HeadAllocation.Pure, 0);
            Assert.Equal(pure, Kernel(HeadAllocation.Blend, 0));
            Assert.Equal(pure, Kernel(HeadAllocation.Floor, 0));
            Assert.Equal(Kernel(HeadAllocation.Uniform, 0), Kernel(HeadAllocation.Blend, 1));
        }
    });

    [Fact]
    public void Uniform_of_equal_heads_is_the_quotient_and_one_more_for_the_lowest() => Law.ForAll(AllocationCase.Equal, c =>
    {
        for (int total = 0; total <= c.Rows; total++)
        {
            int[] counts = AllocationCase.Kernel(c.Scores(), total, HeadAllocation.Uniform, default);
            Assert.Equal(counts.Select((_, h) => (total / c.Heads) + (h < total % c.Heads ? 1 : 0)), counts);
        }
    });

    [Fact]
    public void Blend_and_floor_guarantee_their_share_of_the_uniform_budget() => Law.ForAll(AllocationCase.Equal, c =>
    {
        for (int total = 0; total <= c.Rows; total++)
        {
            long least = c.Floor.Floor(total) / c.Heads; // ⌊⌊rB⌋ / H⌋ = ⌊rB / H⌋
            foreach (HeadAllocation mode in (HeadAllocation[])[HeadAllocation.Blend, HeadAllocation.Floor])
            {
                Assert.All(AllocationCase.Kernel(c.Scores(), total, mode, c.Floor), b => Assert.True(b >= least));
            }
        }
    });

    [Fact]
    public void Uniform_and_pure_budgets_grow_with_the_total() => Law.ForAll(AllocationCase.Ragged, c =>
    {
        Grows(c, AllocationCase.Kernel, HeadAllocation.Uniform, 1);
        Grows(c, AllocationCase.Kernel, HeadAllocation.Pure, 1);
    });

    [Fact]
    public void Blended_budgets_of_equal_heads_grow_with_the_total() =>
        Law.ForAll(AllocationCase.Equal, c => Grows(c, AllocationCase.Kernel, HeadAllocation.Blend, 1));

    [Fact]
    public void Floor_budgets_of_equal_heads_grow_with_each_row_per_head() =>
        Law.ForAll(AllocationCase.Equal, c => Grows(c, AllocationCase.Kernel, HeadAllocation.Floor, c.Heads));

    [Fact]
    public void Budgets_follow_their_heads_when_no_scores_tie() => Law.ForAll(AllocationCase.Ragged, c =>
    {
        float[][] scores = (c with { Values = Values.Distinct }).Scores();
        int[] order = [.. Enumerable.Range(0, c.Heads)];
        new Random(c.Seed).Shuffle(order);
        float[][] moved = [.. order.Select(h => scores[h])];
        for (int total = 0; total <= c.Rows; total++)
        {
            foreach (HeadAllocation mode in Modes)
            {
                int[] before = AllocationCase.Kernel(scores, total, mode, c.Floor);
                int[] after = AllocationCase.Kernel(moved, total, mode, c.Floor);

                // Remainders of uniform and blend may tie; those go by head number, one row at most.
                int slack = mode is HeadAllocation.Pure or HeadAllocation.Floor ? 0 : 1;
                for (int i = 0; i < order.Length; i++) Assert.InRange(after[i], before[order[i]] - slack, before[order[i]] + slack);
            }
        }
    });

    [Fact]
    public void Scaling_all_scores_changes_nothing() => Law.ForAll(AllocationCase.Ragged, c =>
    {
        float[][] scores = c.Scores();
        float[][] scaled = [.. scores.Select(row => row.Select(x => x * 8).ToArray())];
        for (int total = 0; total <= c.Rows; total++)
        {
            foreach (HeadAllocation mode in Modes)
            {
                Assert.Equal(
                    AllocationCase.Kernel(scores, total, mode, c.Floor), AllocationCase.Kernel(scaled, total, mode, c.Floor));
            }
        }
    });

    [Fact]
    public void Scaling_one_head_changes_the_split()
    {
        float[][] scores = [[4, 3], [2, 1]];
        Assert.Equal([2, 0], AllocationCase.Kernel(scores, 2, HeadAllocation.Pure, default));
        float[][] scaled = [[4, 3], [8, 4]];
        Assert.Equal([1, 1], AllocationCase.Kernel(scaled, 2, HeadAllocation.Pure, default));
    }

    [Fact]
    public void A_last_head_of_minus_infinities_takes_nothing_from_the_others() => Law.ForAll(AllocationCase.Ragged, c =>
    {
        float[][] scores = c.Scores();
        float[][] more = [.. scores, Enumerable.Repeat(float.NegativeInfinity, 4).ToArray()];
        for (int total = 0; total <= c.Rows; total++)
        {
            int[] counts = AllocationCase.Kernel(scores, total, HeadAllocation.Pure, default);
            Assert.Equal([.. counts, 0], AllocationCase.Kernel(more, total, HeadAllocation.Pure, default));
        }
    });

    [Fact]
    public void A_concentrated_head_keeps_its_one_row_and_a_flat_one_gets_the_rest()
    {
        float[] flat = [.. Enumerable.Repeat(0.1f, 10)];
        float[] concentrated = [0.01f, 0.91f, .. Enumerable.Repeat(0.01f, 8)];
        Assert.Equal([1, 7], AllocationCase.Kernel([concentrated, flat], 8, HeadAllocation.Pure, default));
    }

    [Fact]
    public void Figure_1_of_the_paper()
    {
        float[][] scores =
        [
            [.32f, .01f, .18f, .08f, .22f, .19f], [.89f, .01f, .05f, .02f, .01f, .02f], [.68f, .01f, .08f, .04f, .09f, .10f],
        ];
        int[] Counts(HeadAllocation mode, string floor) => AllocationCase.Kernel(scores, 6, mode, Ratio.Parse(floor));
        Assert.Equal([2, 2, 2], Counts(HeadAllocation.Uniform, "0"));
        Assert.Equal([4, 1, 1], Counts(HeadAllocation.Pure, "0"));
        Assert.Equal([4, 1, 1], Counts(HeadAllocation.Blend, "0.2"));
        Assert.Equal([3, 2, 1], Counts(HeadAllocation.Blend, "0.5"));
        Assert.Equal([2, 2, 2], Counts(HeadAllocation.Blend, "1"));
        Assert.Equal([4, 1, 1], Counts(HeadAllocation.Floor, "0.5"));
        Assert.Equal([2, 2, 2], Counts(HeadAllocation.Floor, "1"));
        Assert.Equal([[0, 2, 4, 5], [0], [0]], Kept([4, 1, 1]));
        Assert.Equal(2.26, Mass([2, 2, 2]), 6);
        Assert.Equal(2.48, Mass([4, 1, 1]), 6);
        Assert.Equal(2.35, Mass([3, 2, 1]), 6);

        int[][] Kept(int[] counts) => [.. counts.Select((keep, h) => SelectionCase.Kernel(scores[h], 0, 6, keep))];
        double Mass(int[] counts) => Kept(counts).Select((rows, h) => rows.Sum(j => (double)scores[h][j])).Sum();
    }

    [Theory]
    [InlineData(3, new[] { 2, 1 }, new[] { 0 })]
    [InlineData(4, new[] { 2, 2 }, new[] { 0, 1 })]
    [InlineData(5, new[] { 2, 3 }, new[] { 0, 1, 2 })]
    public void A_tie_goes_to_the_lower_position(int total, int[] counts, int[] rowsOfSecondHead)
    {
        float[][] scores = [[.5f, .3f, .1f, .1f], [.26f, .25f, .25f, .24f]];
        Assert.Equal(counts, AllocationCase.Kernel(scores, total, HeadAllocation.Pure, default));
        Assert.Equal(rowsOfSecondHead, SelectionCase.Kernel(scores[1], 0, 4, counts[1]));
    }

    [Fact]
    public void The_forks_documented_example()
    {
        float[][] scores = [[3, 4, 5, 9999], [1, 1, 1, 9998]];
        int[] counts = AllocationCase.Kernel(scores, 4, HeadAllocation.Pure, default);
        Assert.Equal([[1, 2, 3], [3]], counts.Select((keep, h) => SelectionCase.Kernel(scores[h], 0, 4, keep)));
    }

    [Fact]
    public void Long_heads_equal_the_definition()
    {
        var random = new Random(7);
        float[][] scores = [.. Enumerable.Range(0, 8).Select(h => Enumerable.Range(0, 4000 - (h * 300))
            .Select(_ => (float)Math.Pow(random.NextDouble(), 1 + (h * 4))).ToArray())];
        foreach (HeadAllocation mode in Modes)
        {
            Assert.Equal(
                Allocation.Counts(scores, 6001, mode, new Ratio(1, 5)), AllocationCase.Kernel(scores, 6001, mode, new Ratio(1, 5)));
        }
    }

    [Fact]
    public void Sixty_four_bits_suffice_where_Fits_says_so()
    {
        // 4096 heads of 2³¹ − 1 rows with six decimals: the largest quota is the largest product of the rules.
        const long Heads = 4096, Rows = int.MaxValue, Denominator = EvictionPolicy.MaxFloorDenominator;
        Assert.True(HeadShares.Fits(Heads, Rows, Denominator));
        Assert.False(HeadShares.Fits(Heads * 2, Rows, Denominator));
        Assert.Equal((Int128)Heads * Rows * Denominator, HeadShares.BlendNumerator(Rows, Heads * Rows, Heads, 1, Denominator));
        Assert.Equal(Rows, HeadShares.FloorRows(Heads * Rows, Heads, Denominator, Denominator));
    }

    internal static void EqualsDefinition(AllocationCase c, Allocator allocate)
    {
        float[][] scores = c.Scores();
        for (int total = 0; total <= c.Rows + 2; total++)
        {
            foreach (HeadAllocation mode in Modes)
            {
                Assert.Equal(Allocation.Counts(scores, total, mode, c.Floor), allocate(scores, total, mode, c.Floor));
            }
        }
    }

    internal static void MeetsTotal(AllocationCase c, Allocator allocate)
    {
        float[][] scores = c.Scores();
        for (int total = 0; total <= c.Rows + 2; total++)
        {
            foreach (HeadAllocation mode in Modes)
            {
                int[] counts = allocate(scores, total, mode, c.Floor);
                Assert.Equal(Math.Min(total, c.Rows), counts.Sum());
                Assert.All(counts.Zip(c.Candidates), b => Assert.InRange(b.First, 0, b.Second));
            }
        }
    }

    internal static void Grows(AllocationCase c, Allocator allocate, HeadAllocation mode, int step)
    {
        float[][] scores = c.Scores();
        for (int total = 0; total + step <= c.Rows; total += step)
        {
            int[] fewer = allocate(scores, total, mode, c.Floor);
            int[] more = allocate(scores, total + step, mode, c.Floor);
            Assert.All(fewer.Zip(more), b => Assert.True(b.First <= b.Second));
        }
    }
}
