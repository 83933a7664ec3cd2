using System.Numerics;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>Budgets before rounding: rounded by the largest remainder they are what the kernels give.</summary>
public sealed class AllocationQuotaLaws
{
    private delegate HeadQuota[] Quotas(StoreScores store, long total, HeadAllocation rule, Ratio floor);

    [Fact]
    public void Rounded_by_the_largest_remainder_quotas_are_the_engines_budgets() =>
        Law.ForAll(AllocationCase.Ragged, c => RoundsToBudgets(c, AllocationQuotas.OfHeads), 80);

    [Fact]
    public void Mutant_shares_the_other_way_round() => Law.Catches(AllocationCase.Ragged, c => RoundsToBudgets(
        c, (store, total, rule, floor) => AllocationQuotas.OfHeads(store, total, rule, new(floor.Denominator - floor.Numerator, floor.Denominator))));

    [Fact]
    public void Mutant_ties_to_the_higher_head() => Law.Catches(AllocationCase.Ragged, c => RoundsToBudgets(c, (store, total, rule, floor) =>
    {
        int heads = store.Lengths.Length;
        float[] turned = [.. Enumerable.Range(0, heads).Reverse().SelectMany(h => store.Scores[(h * store.Stride)..((h + 1) * store.Stride)])];
        return [.. AllocationQuotas.OfHeads(store with { Scores = turned, Lengths = [.. store.Lengths.Reverse()] }, total, rule, floor).Reverse()];
    }));

    [Fact]
    public void Quotas_sum_to_the_total_exactly_and_fit_their_heads() => Law.ForAll(AllocationCase.Ragged, c =>
    {
        foreach ((StoreScores store, HeadAllocation rule, long total) in Splits(c, 0, 0))
        {
            HeadQuota[] quotas = AllocationQuotas.OfHeads(store, total, rule, c.Floor);
            Assert.Equal((total, 1), Sum(quotas.Select(q => q.Quota)));
            Assert.Equal((total, 1), Sum(quotas.Select(q => q.Uniform)));
            Assert.Equal(total, quotas.Sum(q => q.Adaptive));
            Assert.All(quotas.Zip(c.Candidates), p => Assert.True(p.First.Quota.Numerator <= (long)p.Second * p.First.Quota.Denominator));
            Assert.All(quotas, q => Assert.True(q.Guaranteed <= Math.Ceiling((double)q.Uniform.Numerator / q.Uniform.Denominator)));
        }
    }, 50);

    [Fact]
    public void Protected_rows_are_beside_the_quota_of_the_rest() => Law.ForAll(AllocationCase.Ragged, c =>
    {
        HeadAllocation[] rules = [HeadAllocation.Uniform, HeadAllocation.Pure, HeadAllocation.Blend, HeadAllocation.Floor];
        StoreScores all = Store(c.Scores(), 1, 2);
        float[][] between = [.. Enumerable.Range(0, c.Heads).Select(h => all.Candidates(h).ToArray())];
        StoreScores rest = Store(between, 0, 0);
        for (long spare = 0; spare <= between.Sum(s => s.Length); spare++)
        {
            foreach (HeadAllocation rule in rules)
            {
                HeadQuota[] with = AllocationQuotas.OfHeads(all, all.ProtectedTotal + spare, rule, c.Floor);
                HeadQuota[] without = AllocationQuotas.OfHeads(rest, spare, rule, c.Floor);
                for (int h = 0; h < c.Heads; h++)
                {
                    long kept = all.Lengths[h] - rest.Lengths[h];
                    Assert.Equal(without[h].Quota.Numerator + (kept * without[h].Quota.Denominator), with[h].Quota.Numerator);
                    Assert.Equal(without[h].Quota.Denominator, with[h].Quota.Denominator);
                    Assert.Equal(without[h].Adaptive + kept, with[h].Adaptive);
                }
            }
        }
    }, 60);

    [Fact]
    public void Layers_quotas_rounded_by_the_largest_remainder_are_their_rows() => Law.ForAll(LayerCase.Cases, c =>
    {
        if (c.Rows == 0) return;
        foreach (string method in (ReadOnlySpan<string>)["pyramidkv", "snapkv"])
        {
            const int window = 3;
            string beta = method == "pyramidkv" ? $",beta={c.Beta}" : "";
            EvictionPolicy policy = EvictionPolicy.Parse($"{method}:budget={c.Rows},window={window}{beta}");
            Ratio?[] quotas = AllocationQuotas.OfStores(policy, c.Candidates, c.Layers);
            int[] rows = StoreRows.Of(policy, c.Candidates, c.Layers);
            Assert.Equal(rows, Rounded([.. quotas.Select(q => q!.Value)], rows.Sum()));
            Assert.Equal((rows.Sum(), 1), Sum(quotas.Select(q => q!.Value)));
        }
    }, 150);

    [Theory]
    [InlineData("snapkv:budget=10%", "91.1")]
    [InlineData("snapkv:budget=12.5%", "113.875")]
    [InlineData("ada-snapkv:budget=128", "128")]
    [InlineData("sliding:budget=1000", "911")]
    public void A_share_is_exact_before_it_is_rounded(string policy, string rows) =>
        Assert.All(AllocationQuotas.OfStores(EvictionPolicy.Parse(policy), 911, 6), quota => Assert.Equal(rows, quota.ToString()));

    [Fact]
    public void Stores_that_are_compared_have_no_quota_before() =>
        Assert.All(AllocationQuotas.OfStores(EvictionPolicy.Parse("global-snapkv:budget=10%"), 911, 6), quota => Assert.Null(quota));

    private static void RoundsToBudgets(AllocationCase c, Quotas quotas)
    {
        float[][] scores = c.Scores();
        foreach ((StoreScores store, HeadAllocation rule, long total) in Splits(c, 0, 0))
        {
            int[] budgets = AllocationCase.Kernel(scores, total, rule, c.Floor);
            Assert.Equal(budgets, Rounded([.. quotas(store, total, rule, c.Floor).Select(q => q.Quota)], total));
        }
    }

    private static IEnumerable<(StoreScores Store, HeadAllocation Rule, long Total)> Splits(AllocationCase c, int sinks, int window)
    {
        StoreScores store = Store(c.Scores(), sinks, window);
        for (long total = 0; total <= c.Rows; total++)
        {
            foreach (HeadAllocation rule in Enum.GetValues<HeadAllocation>().Where(mode => mode != HeadAllocation.Table)) yield return (store, rule, total);
        }
    }

    private static StoreScores Store(float[][] scores, int sinks, int window)
    {
        int stride = scores.Max(s => s.Length) + 1;
        return new([.. scores.SelectMany(s => s.Concat(Enumerable.Repeat(99f, stride - s.Length)))], stride, [.. scores.Select(s => s.Length)], sinks, window);
    }

    // The textbook rule, in big integers over one common denominator.
    private static int[] Rounded(Ratio[] quotas, long total)
    {
        BigInteger common = quotas.Aggregate(BigInteger.One, (d, q) => d * q.Denominator / BigInteger.GreatestCommonDivisor(d, q.Denominator));
        BigInteger[] parts = [.. quotas.Select(q => q.Numerator * (common / q.Denominator))];
        int[] rows = [.. parts.Select(p => (int)(p / common))];
        foreach (int h in Enumerable.Range(0, rows.Length).OrderByDescending(h => parts[h] % common).ThenBy(h => h).Take((int)(total - rows.Sum())))
        {
            rows[h]++;
        }

        return rows;
    }

    private static (BigInteger Numerator, BigInteger Denominator) Sum(IEnumerable<Ratio> ratios)
    {
        (BigInteger n, BigInteger d) = (0, 1);
        foreach (Ratio r in ratios) (n, d) = ((n * r.Denominator) + (r.Numerator * d), d * r.Denominator);
        BigInteger divisor = BigInteger.GreatestCommonDivisor(n, d);
        return (n / divisor, d / divisor);
    }
}
