using System.Globalization;
using System.Numerics;
using FsCheck;
using FsCheck.Fluent;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>The text of ratios, budgets and policies.</summary>
public sealed class PolicyLaws
{
    private static readonly Arbitrary<Ratio> Ratios = Arb.From(
        from d in Gen.OneOf(Gen.Choose(1, 40), Gen.Elements(1000, 1024, 3_000_000, int.MaxValue))
        from n in Gen.Choose(0, d)
        select new Ratio(n, d));

    private static readonly Arbitrary<string> Policies = Arb.From(
        from name in Gen.Elements([.. EvictionPolicy.Names, "ada-knorm", "ada-expected", "global-h2o", "ada-criticalkv", "global-capkv"])
        from budget in Gen.Elements("", "budget=20%", "budget=12.50%", "budget=128")
        from window in Gen.Elements("", "window=1", "window=64")
        from pooling in Gen.Elements("", "kernel=1", "pool=avg,kernel=5", "order=pool-group,pool=max")
        from heads in Gen.Elements("", "alloc=pure", "floor=1/3", "alloc=floor,floor=0.125", "floor=0,alloc=blend", "floor=100%")
        from beta in Gen.Elements("", "beta=1", "beta=7")
        from own in Gen.Elements("", "future=16,epsilon=0.02", "lag=7", "gamma=3.5", "local=0", "chunk=3", "jitter=1", "tau=0", "seed=9", "weights=head", "mass=kept,weights=common", "positions=consecutive", "heads=3:1/0.25:2", "pieces=7", "blocks=128")
        from sinks in Gen.Elements("", "sinks=0", "sinks=4,slack=0")
        select Text(name, budget, window, pooling, heads, beta, own, sinks));

    [Fact]
    public void A_ratio_prints_what_it_reads() => Law.ForAll(Ratios, r => Assert.Equal(r, Ratio.Parse(r.ToString())));

    [Theory]
    [InlineData("20%", 1, 5)]
    [InlineData("0.2", 1, 5)]
    [InlineData("12.5%", 1, 8)]
    [InlineData("0.1", 1, 10)]
    [InlineData("1/3", 1, 3)]
    [InlineData("6/8", 3, 4)]
    [InlineData("100%", 1, 1)]
    [InlineData("0", 0, 1)]
    [InlineData("0.333333333333333", 333333333333333, 1000000000000000)]
    public void A_ratio_is_exact(string text, long numerator, long denominator)
    {
        Ratio r = Ratio.Parse(text);
        Assert.Equal((numerator, denominator), (r.Numerator, r.Denominator));
    }

    [Theory]
    [InlineData("")]
    [InlineData("%")]
    [InlineData(".5")]
    [InlineData("5.")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1e3")]
    [InlineData(" 1")]
    [InlineData("1,5")]
    [InlineData("1.2.3")]
    [InlineData("1/0")]
    [InlineData("1/2%")]
    [InlineData("12345678901234567")]
    public void A_ratio_refuses(string text) => Assert.Throws<FormatException>(() => Ratio.Parse(text));

    [Fact]
    public void The_default_ratio_is_zero() => Assert.Equal(new Ratio(0, 5), default);

    [Fact]
    public void Rounding_takes_halves_to_even() =>
        Law.ForAll(Products, c => RoundsHalfEven(c, (r, n) => r.RoundHalfEven(n)));

    [Fact]
    public void Mutant_rounding_in_doubles() => Law.Catches(Products, c => RoundsHalfEven(
        c, (r, n) => (long)Math.Round(n * ((double)r.Numerator / r.Denominator), MidpointRounding.ToEven)));

    [Fact]
    public void Mutant_rounding_halves_up() => Law.Catches(Products, c => RoundsHalfEven(
        c, (r, n) => r.Floor(n) + (2 * ((BigInteger)n * r.Numerator % r.Denominator) >= r.Denominator ? 1 : 0)));

    [Theory]
    [InlineData("20%", 1000, 200)]
    [InlineData("20%", 1, 0)]
    [InlineData("12.5%", 20, 2)] // 2.5
    [InlineData("12.5%", 28, 4)] // 3.5
    [InlineData("100%", 7, 7)]
    [InlineData("128", 7, 128)]
    public void A_budget_in_rows(string text, int promptTokens, int rows)
    {
        Assert.Equal(rows, Budget.Parse(text).RowsFor(promptTokens));
        Assert.Equal(text, Budget.Parse(text).ToString());
    }

    [Fact]
    public void Budgets_compare_by_value() => Assert.Equal(Budget.Parse("20%"), Budget.Parse("20.0%"));

    [Theory]
    [InlineData("0%")]
    [InlineData("100.1%")]
    [InlineData("-5%")]
    [InlineData("0")]
    [InlineData("-128")]
    [InlineData("0.2")]
    [InlineData("")]
    [InlineData("many")]
    [InlineData("99999999999")]
    public void A_budget_refuses(string text) => AssertSentence(() => Budget.Parse(text), text);

    [Fact]
    public void A_policy_prints_what_it_reads() => Law.ForAll(Policies, text =>
    {
        EvictionPolicy policy = EvictionPolicy.Parse(text);
        Assert.Equal(policy, EvictionPolicy.Parse(policy.ToString()));
        Assert.Equal(policy.ToString(), EvictionPolicy.Parse(policy.ToString()).ToString());
        Assert.Equal(text.Contains("budget"), policy.HasBudget);
    });

    [Fact]
    public void The_order_of_keys_does_not_matter() => Law.ForAll(Policies, text =>
    {
        string[] parts = text.Split(':', 2);
        string reversed = parts.Length == 1 ? text : $"{parts[0]}:{string.Join(',', parts[1].Split(',').Reverse())}";
        Assert.Equal(EvictionPolicy.Parse(text), EvictionPolicy.Parse(reversed));
    });

    [Theory]
    [InlineData("full", "full")]
    [InlineData("sliding", "sliding:sinks=4,slack=64")]
    [InlineData("snapkv", "snapkv:window=32,kernel=7,pool=max,order=group-pool,sinks=0,slack=64")]
    [InlineData(
        "ada-snapkv:budget=20%",
        "ada-snapkv:budget=20%,window=32,kernel=7,pool=max,order=group-pool,alloc=blend,floor=0.2,sinks=0,slack=64")]
    [InlineData("pyramidkv", "pyramidkv:window=32,kernel=7,pool=max,order=group-pool,beta=20,sinks=0,slack=64")]
    [InlineData(
        "ada-pyramid:alloc=pure", "ada-pyramid:window=32,kernel=7,pool=max,order=group-pool,alloc=pure,beta=20,sinks=0,slack=64")]
    public void Defaults(string text, string canonical) => Assert.Equal(canonical, EvictionPolicy.Parse(text).ToString());

    [Fact]
    public void Names_mean_their_allocations()
    {
        Assert.Equal((HeadAllocation.Uniform, LayerAllocation.Uniform), Of("snapkv"));
        Assert.Equal((HeadAllocation.Blend, LayerAllocation.Uniform), Of("ada-snapkv"));
        Assert.Equal((HeadAllocation.Uniform, LayerAllocation.Pyramid), Of("pyramidkv"));
        Assert.Equal((HeadAllocation.Floor, LayerAllocation.Pyramid), Of("ada-pyramid:alloc=floor"));
        Assert.Equal((HeadAllocation.Pure, LayerAllocation.Uniform), Of("ada-snapkv:alloc=pure"));
        Assert.False(EvictionPolicy.Parse("sliding").UsesScores);
        Assert.True(EvictionPolicy.Full.KeepsEverything);

        static (HeadAllocation, LayerAllocation) Of(string text) => (EvictionPolicy.Parse(text).Heads, EvictionPolicy.Parse(text).Layers);
    }

    [Fact]
    public void A_budget_can_be_given_later()
    {
        EvictionPolicy policy = EvictionPolicy.Parse("snapkv");
        Assert.Equal(Budget.Default, policy.Budget);
        Assert.Equal(EvictionPolicy.Parse("snapkv:budget=64"), policy.WithBudget(Budget.Parse("64")));
        AssertSentence(() => EvictionPolicy.Full.WithBudget(Budget.Parse("64")), "64");
    }

    [Theory]
    [InlineData("", "''")]
    [InlineData("snap", "'snap'")]
    [InlineData("SnapKV", "'SnapKV'")]
    [InlineData("snapkv:", "''")]
    [InlineData("snapkv:window", "'window'")]
    [InlineData("snapkv:windows=3", "'windows'")]
    [InlineData("snapkv:window=1,window=1", "'window'")]
    [InlineData("snapkv:window=0", "'0'")]
    [InlineData("snapkv:window=-1", "'-1'")]
    [InlineData("snapkv:window=1.5", "'1.5'")]
    [InlineData("snapkv:window=99999999", "'99999999'")]
    [InlineData("snapkv:kernel=4", "'4'")]
    [InlineData("snapkv:pool=min", "'min'")]
    [InlineData("snapkv:order=pool", "'pool'")]
    [InlineData("snapkv:budget=0%", "'0%'")]
    [InlineData("snapkv:budget=20 %", "'20 %'")]
    [InlineData("snapkv:alloc=pure", "ada-snapkv has it")]
    [InlineData("knorm:floor=0.5", "ada-knorm has it")]
    [InlineData("snapkv:beta=4", "pyramidkv has it")]
    [InlineData("ada-snapkv:positions=consecutive", "snapkv has it")]
    [InlineData("knorm:pieces=0", "'0'")]
    [InlineData("knorm:pieces=4,blocks=4", "one after the other")]
    [InlineData("expected:pieces=64", "has it")]
    [InlineData("lagkv:blocks=64", "has it")]
    [InlineData("ada-keydiff:blocks=64", "keydiff has it")]
    [InlineData("kvnorm", "the nearest is knorm")]
    [InlineData("ada-prefixkv", "the nearest is prefixkv")]
    [InlineData("ada-chunkkv", "the nearest is chunkkv")]
    [InlineData("global-cake", "the nearest is cake")]
    [InlineData("expected:epsilon=0.0000001", "'0.0000001'")]
    [InlineData("lagkv:lag=1", "'1'")]
    [InlineData("snapkv:floor=0.2", "'floor'")]
    [InlineData("snapkv:beta=20", "'beta'")]
    [InlineData("sliding:window=32", "'window'")]
    [InlineData("full:budget=20%", "'budget'")]
    [InlineData("ada-snapkv:floor=1.1", "'1.1'")]
    [InlineData("ada-snapkv:floor=-0.1", "'-0.1'")]
    [InlineData("ada-snapkv:floor=0.1234567", "'0.1234567'")]
    [InlineData("ada-snapkv:alloc=pure,floor=0.2", "floor")]
    [InlineData("pyramidkv:beta=0", "'0'")]
    public void A_policy_refuses(string text, string names) => AssertSentence(() => EvictionPolicy.Parse(text), names);

    private static Arbitrary<(Ratio Ratio, long N)> Products { get; } = Arb.From(
        from r in Ratios.Generator
        from k in Gen.Choose(0, int.MaxValue)
        from half in Gen.Elements(true, false)
        select (r, half ? k / 2 * r.Denominator / 2 : (long)k)); // half of them land on or beside n + 1/2

    private static void RoundsHalfEven((Ratio Ratio, long N) c, Func<Ratio, long, long> round)
    {
        // Even integers are nearest at distance ≤ 1/2, odd ones at distance < 1/2: twice the distance, over the denominator.
        long result = round(c.Ratio, c.N);
        BigInteger twice = 2 * BigInteger.Abs(((BigInteger)c.N * c.Ratio.Numerator) - ((BigInteger)result * c.Ratio.Denominator));
        Assert.True(result % 2 == 0 ? twice <= c.Ratio.Denominator : twice < c.Ratio.Denominator);
    }

    // Only the keys that the name takes.
    private static string Text(string name, params string[] groups)
    {
        IEnumerable<string> keys = groups.Where(g => g.Length > 0 && g.Split(',').All(p => Takes(name, p)));
        string joined = string.Join(',', keys);
        return joined.Length == 0 ? name : string.Create(CultureInfo.InvariantCulture, $"{name}:{joined}");
    }

    private static bool Takes(string name, string pair)
    {
        try
        {
            EvictionPolicy.Parse($"{name}:{pair}");
            return true;
        }
        catch (PolicyFormatException)
        {
            return false;
        }
    }

    private static void AssertSentence(Action act, string names)
    {
        string message = Assert.Throws<PolicyFormatException>(act).Message;
        Assert.Contains(names, message);
        Assert.Matches(@"^[^\n]+\.$", message);
        Assert.Single(message.Split(". ", StringSplitOptions.None));
    }
}
