using KvIL.Eviction;
using KvIL.Sharing;
using Xunit;

namespace KvIL.Tests.Sharing;

/// <summary>One text for map, prefill and policy.</summary>
public sealed class CachePlanTests
{
    [Theory]
    [InlineData("")]
    [InlineData("share=sandwich-middle:11")]
    [InlineData("share=0_10x20_21 prefill=iterative:9 evict=ada-snapkv:budget=20%,window=16,vote=mean,readers=1")]
    [InlineData("prefill=converged:1E-06,20")]
    [InlineData("evict=global-snapkv:budget=64,alloc=blend,vote=owner")]
    public void A_plan_round_trips(string text)
    {
        CachePlan plan = CachePlan.Parse(text);
        Assert.Equal(plan, CachePlan.Parse(plan.ToString()));
    }

    [Fact]
    public void The_parts_are_what_they_say()
    {
        CachePlan plan = CachePlan.Parse("  evict=snapkv:budget=10%,vote=sum   share=lasagna-bottom:3 prefill=sequential");
        Assert.Equal(("lasagna-bottom:3", PrefillStrategy.Sequential, ReaderVote.Sum), (plan.Share, plan.Prefill, plan.Evict.Vote));
        Assert.Equal(new CachePlan(null, PrefillStrategy.Default, EvictionPolicy.Full), CachePlan.Parse(""));
    }

    [Theory]
    [InlineData("share", "'share' is no part of a plan")]
    [InlineData("share=", "'share=' is no part of a plan")]
    [InlineData("keep=all", "'keep=all' is no part of a plan")]
    [InlineData("evict=full evict=full", "stands there twice")]
    [InlineData("prefill=exact:0", "'exact:0' is no way to run a prompt")]
    [InlineData("prefill=iterative:9999999999", "is no way to run a prompt")]
    [InlineData("prefill=converged:-1", "is no way to run a prompt")]
    [InlineData("evict=snapkv:vote=all", "Expected vote to be max or mean or sum or owner, got 'all'.")]
    [InlineData("evict=sliding:vote=max", "has no key 'vote'")]
    public void What_is_no_plan_is_refused(string text, string sentence) =>
        Assert.Contains(sentence, Assert.ThrowsAny<FormatException>(() => CachePlan.Parse(text)).Message, StringComparison.Ordinal);
}
