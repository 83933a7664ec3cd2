using FsCheck;
using FsCheck.Fluent;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>Scores as unsigned keys.</summary>
public sealed class ScoreOrderLaws
{
    private static readonly float[] Edges =
    [
        float.NaN, float.NegativeInfinity, float.MinValue, -1, -float.Epsilon, -0f, 0f, float.Epsilon, 1.17549435e-38f, 1,
        float.MaxValue, float.PositiveInfinity,
    ];

    // Any bits are a float: NaN payloads and subnormals included.
    private static readonly Arbitrary<(float X, float Y)> Pairs = Arb.From(
        from x in Gen.OneOf(Gen.Elements(Edges), Gen.Choose(int.MinValue, int.MaxValue).Select(BitConverter.Int32BitsToSingle))
        from y in Gen.OneOf(Gen.Elements(Edges), Gen.Choose(int.MinValue, int.MaxValue).Select(BitConverter.Int32BitsToSingle))
        select (x, y));

    [Fact]
    public void Keys_compare_as_scores_do() => Law.ForAll(Pairs, p => ComparesAsScores(p, ScoreOrder.Key), 2000);

    [Fact]
    public void Mutant_that_flips_only_the_sign() => Law.Catches(
        Pairs, p => ComparesAsScores(p, x => (uint)BitConverter.SingleToInt32Bits(x) ^ 0x8000_0000), 2000);

    [Fact]
    public void Mutant_in_which_NaN_is_largest() => Law.Catches(
        Pairs, p => ComparesAsScores(p, x => float.IsNaN(x) ? uint.MaxValue : ScoreOrder.Key(x)), 2000);

    [Fact]
    public void Digits_rebuild_the_key() => Law.ForAll(Pairs, p =>
    {
        uint key = ScoreOrder.Key(p.X);
        uint prefix = 0;
        for (int shift = 24; shift >= 0; shift -= 8)
        {
            Assert.True(ScoreOrder.MatchesAbove(key, prefix, shift));
            prefix |= (uint)ScoreOrder.Digit(key, shift) << shift;
            Assert.False(ScoreOrder.MatchesAbove(key ^ (0x100u << shift), prefix, shift) && shift < 24);
        }

        Assert.Equal(key, prefix);
    });

    private static void ComparesAsScores((float X, float Y) p, Func<float, uint> key)
    {
        static double Number(float x) => float.IsNaN(x) ? double.NegativeInfinity : x;
        int expected = Number(p.X) < Number(p.Y) ? -1 : Number(p.X) > Number(p.Y) ? 1 : 0;
        Assert.Equal(expected, key(p.X).CompareTo(key(p.Y)));
    }
}
