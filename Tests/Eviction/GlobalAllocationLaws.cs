using KvIL.Conformance.Theory;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>One total for the heads of all layers, and heads weighted by their norms.</summary>
public sealed class GlobalAllocationLaws
{
    [Fact]
    public void One_layer_is_the_layers_own_split() => Law.ForAll(AllocationCase.Ragged, c =>
    {
        for (int total = 0; total <= c.Rows; total++)
        {
            foreach (HeadAllocation mode in Enum.GetValues<HeadAllocation>().Where(mode => mode != HeadAllocation.Table))
            {
                Assert.Equal(
                    AllocationCase.Kernel(c.Scores(), total, mode, c.Floor), LayerSplits.Global([c.Scores()], total, mode, c.Floor)[0]);
            }
        }
    }, 50);

    [Fact]
    public void The_global_top_over_layers_keeps_the_most_mass() => Law.ForAll(AllocationCase.Tiny, c => IsOptimal(c, LayerSplits.Global), 40);

    [Fact]
    public void Mutant_the_same_for_every_layer() => Law.Catches(AllocationCase.Tiny, c => IsOptimal(c, (layers, total, mode, floor) =>
        [.. layers.Select((layer, l) => Allocation.Counts(
            layer, (total / layers.Length) + (l < total % layers.Length ? 1 : 0), mode, floor))]));

    [Fact]
    public void Layers_do_not_matter_to_the_global_split_only_the_order_of_heads_does() => Law.ForAll(AllocationCase.Ragged, c =>
    {
        float[][] scores = c.Scores();
        for (int total = 0; total <= c.Rows; total++)
        {
            int[] flat = Allocation.Pure(scores, total);
            Assert.Equal(flat, LayerSplits.Global([.. scores.Select(s => new[] { s })], total, HeadAllocation.Pure, default).SelectMany(l => l));
        }
    });

    [Fact]
    public void Weighted_heads_minimise_the_bound_per_head() => Law.ForAll(
        LossCase.Cases, c => MinimisesHeadBound(c, Allocation.Weighted), 60);

    [Fact]
    public void Mutant_heads_of_one_weight_do_not() => Law.Catches(
        LossCase.Cases, c => MinimisesHeadBound(c, (a, norms, total) => Allocation.Weighted(a, [.. norms.Select(_ => 1.0)], total)));

    [Fact]
    public void Equal_norms_are_the_pure_split() => Law.ForAll(AllocationCase.Ragged, c =>
    {
        float[][] scores = (c with { Values = Values.Ties }).Scores();
        double[][] a = [.. scores.Select(row => row.Select(x => (double)x + 2).ToArray())];
        for (int total = 0; total <= c.Rows; total++)
        {
            Assert.Equal(Allocation.Pure(scores, total), Allocation.Weighted(a, [.. scores.Select(_ => 0.5)], total));
        }
    });

    [Fact]
    public void Normalising_keeps_the_order_inside_a_head_and_never_raises_a_score() => Law.ForAll(AllocationCase.Equal, c =>
    {
        if (c.Candidates[0] == 0) return;
        float[][] scores = (c with { Values = Values.Distinct }).Scores();
        float[][] normalised = Allocation.Normalised(scores, 2);
        for (int h = 0; h < c.Heads; h++)
        {
            Assert.Equal(Allocation.Order([scores[h]]), Allocation.Order([normalised[h]]));
            Assert.All(scores[h].Zip(normalised[h]), p => Assert.InRange(p.Second, 0, p.First));
        }
    });

    [Theory]
    [InlineData(100, 0.5, 4, 200, 10)]
    [InlineData(80, 0.7, 4, 96, 4)]
    [InlineData(10, 0.9, 3, 2, 0)] // 2.999... in doubles
    public void Counts_of_the_removal_fork(int seqLen, double ratio, int heads, int total, int safe)
    {
        Assert.Equal(total, LayerBudgets.KeepTotalCompat(seqLen, ratio, heads));
        Assert.Equal(safe, LayerBudgets.SafeCountCompat(seqLen, ratio, 0.2));
    }

    [Fact]
    public void The_pyramid_that_keeps_4016_rows_for_3840()
    {
        int[] published = [.. Enumerable.Range(0, 32).Select(l => LayerBudgets.PyramidCompat(120, 7992, 20, l, 32))];
        int[] exact = new int[32];
        LayerBudgets.PyramidExact(120, 7992, 20, exact);
        Assert.Equal((4016, 3840), (published.Sum(), exact.Sum()));
    }

    [Fact]
    public void Figure_1_of_the_paper_in_decimals()
    {
        decimal[][] a =
        [
            [.32m, .01m, .18m, .08m, .22m, .19m], [.89m, .01m, .05m, .02m, .01m, .02m], [.68m, .01m, .08m, .04m, .09m, .10m],
        ];
        float[][] scores = [.. a.Select(row => row.Select(x => (float)x).ToArray())];
        Assert.All(a, row => Assert.Equal(1m, row.Sum()));
        (decimal Mass, decimal Dropped) Kept(HeadAllocation mode, string floor)
        {
            int[] counts = AllocationCase.Kernel(scores, 6, mode, Ratio.Parse(floor));
            decimal mass = counts.Select((keep, h) => SelectionCase.Kernel(scores[h], 0, 6, keep).Sum(j => a[h][j])).Sum();
            return (mass, 3 - mass);
        }

        Assert.Equal((2.26m, 0.74m), Kept(HeadAllocation.Uniform, "0")); // ε/2C is what is dropped
        Assert.Equal((2.48m, 0.52m), Kept(HeadAllocation.Pure, "0"));
        Assert.Equal((2.48m, 0.52m), Kept(HeadAllocation.Blend, "0.2"));
        Assert.Equal((2.35m, 0.65m), Kept(HeadAllocation.Blend, "0.5"));
        Assert.Equal((2.48m, 0.52m), Kept(HeadAllocation.Floor, "0.5"));
        Assert.Equal((2.26m, 0.74m), Kept(HeadAllocation.Floor, "1"));
    }

    [Fact]
    public void Adas_bound_is_below_the_blends_and_that_below_uniforms_where_heads_divide_the_budget() => Law.ForAll(LossCase.Cases, c =>
    {
        double[,] a = c.Attention();
        float[][] scores = [.. Enumerable.Range(0, c.Heads).Select(i => Arrays.Row(a, i).Select(x => (float)x).ToArray())];
        for (int total = 0; total <= c.Heads * c.Tokens; total += c.Heads)
        {
            double Epsilon(HeadAllocation mode)
            {
                bool[,] kept = new bool[c.Heads, c.Tokens];
                int[] counts = AllocationCase.Kernel(scores, total, mode, new Ratio(c.Seed % 6, 5 + (c.Seed % 6)));
                for (int i = 0; i < c.Heads; i++)
                {
                    foreach (int j in SelectionCase.Kernel(scores[i], 0, c.Tokens, counts[i])) kept[i, j] = true;
                }

                return new EvictionLoss(a, c.Contributions(), kept).Epsilon;
            }

            // Attention is a multiple of 2⁻²⁰ here: masses are exact, and one rounding is monotone.
            Assert.True(Epsilon(HeadAllocation.Pure) <= Epsilon(HeadAllocation.Blend));
            Assert.True(Epsilon(HeadAllocation.Blend) <= Epsilon(HeadAllocation.Uniform));
        }
    }, 100);

    // The heads of the case as two layers.
    private static void IsOptimal(AllocationCase c, Func<float[][][], long, HeadAllocation, Ratio, int[][]> global)
    {
        float[][] scores = c.Scores();
        if (c.Heads < 2) return;
        for (int total = 0; total <= c.Rows; total += 2)
        {
            int[] counts = [.. global([scores[..1], scores[1..]], total, HeadAllocation.Pure, default).SelectMany(l => l)];
            double mass = scores.Select((row, h) => row.OrderDescending().Take(counts[h]).Sum(x => (double)x)).Sum();
            Assert.Equal(BruteForce.BestMass([.. scores.Select(r => r.Select(x => (double)x).ToArray())], total, _ => true), mass);
        }
    }

    private static void MinimisesHeadBound(LossCase c, Func<double[][], double[], int, int[]> split)
    {
        double[,] table = c.Attention();
        double[][] a = [.. Enumerable.Range(0, c.Heads).Select(i => Arrays.Row(table, i))];
        EvictionLoss all = c.Loss();
        double[] norms = [.. Enumerable.Range(0, c.Heads).Select(all.HeadNorm)];
        int total = c.Heads * c.Tokens / 3;
        double Dropped(int[] counts) => counts.Select((keep, i) => norms[i] * a[i].Order().Take(c.Tokens - keep).Sum()).Sum();
        double least = BruteForce.Compositions([.. a.Select(row => row.Length)], total).Min(Dropped);
        Assert.InRange(Dropped(split(a, norms, total)), 0, least * (1 + 1e-12));
    }
}
