using FsCheck;
using FsCheck.Fluent;
using KvIL.Eviction;
using KvIL.Plans;
using KvIL.Tensors;
using KvIL.Tests.Gpu.Support;
using Xunit;

namespace KvIL.Tests.Gpu;

/// <summary>Decisions against Reference: equal integers for equal scores, and stores copied bit for bit.</summary>
public sealed class EvictionTests(Devices devices) : IClassFixture<Devices>
{
    [Theory]
    [InlineData(HeadAllocation.Uniform)]
    [InlineData(HeadAllocation.Pure)]
    [InlineData(HeadAllocation.Blend)]
    [InlineData(HeadAllocation.Floor)]
    public void Counts_rows_and_compacted_stores_are_equal_for_equal_scores(HeadAllocation rule) =>
        Check(rule, tests: 12, heads: 5, length: 60);

    [Theory]
    [Trait("Length", "Long")]
    [InlineData(HeadAllocation.Uniform)]
    [InlineData(HeadAllocation.Pure)]
    [InlineData(HeadAllocation.Blend)]
    [InlineData(HeadAllocation.Floor)]
    public void Counts_rows_and_compacted_stores_are_equal_for_equal_scores_at_length(HeadAllocation rule) =>
        Check(rule, tests: 40, heads: 9, length: 1500);

    [Theory]
    [InlineData(HeadAllocation.Pure)]
    [InlineData(HeadAllocation.Floor)]
    public void A_chunk_border_inside_the_candidates_changes_nothing(HeadAllocation rule)
    {
        // 1024 columns are one item of the counting kernel.
        Case one = new(Seed: 8, Heads: 2, Length: 1100, rule, "1/5", Sinks: 3, Window: 4, Percent: 30, Special: false, DType.F32, Slack: 1);
        HoldsFor(one);
    }

    [Fact]
    public void Scores_that_are_all_equal_or_NaN_keep_the_first_rows()
    {
        foreach (float score in (ReadOnlySpan<float>)[0f, float.NaN, float.NegativeInfinity])
        {
            HostStore store = HostStore.Random(new(1), DType.F32, 1, 2, 4, [20, 20], slack: 0);
            (Plan plan, Slot[] slots) = Decide(store, HeadAllocation.Pure, "0", sequence: 0, sinks: 0, window: 2, total: 14, slack: 0, columns: 20);
            Given given = new() { Inputs = { [slots[0]] = store, [slots[1]] = Enumerable.Repeat(score, 40).ToArray() }, FreshRows = { [slots[4]] = 40 } };
            Results actual = PlanRun.On(devices.Gpu, plan, given);
            Same.Ints("counts", [12, 2], actual.Ints(slots[2]));
            Same.Ints("rows", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 18, 19, 18, 19], actual.Ints(slots[3]));
        }
    }

    [Fact]
    public void A_fresh_store_that_is_too_small_is_a_fault_and_no_row_is_written_beyond_it()
    {
        HostStore store = HostStore.Random(new(1), DType.F32, 1, 2, 4, [20, 20], slack: 0);
        (Plan plan, Slot[] slots) = Decide(store, HeadAllocation.Uniform, "0", sequence: 0, sinks: 0, window: 2, total: 14, slack: 4, columns: 20);
        Given given = new() { Inputs = { [slots[0]] = store, [slots[1]] = new float[40] }, FreshRows = { [slots[4]] = 21 } };
        KvIL.Backends.DeviceFaultException fault =
            Assert.Throws<KvIL.Backends.DeviceFaultException>(() => PlanRun.On(devices.Gpu, plan, given));
        Assert.Contains("fewer rows", fault.Message, StringComparison.Ordinal);
    }

    private void Check(HeadAllocation rule, int tests, int heads, int length)
    {
        Gen<Case> cases =
            from seed in Gen.Choose(0, 1 << 20)
            from h in Gen.Choose(1, heads)
            from most in Gen.Choose(1, length)
            from share in Gen.Elements("0", "1/5", "1/3", "1")
            from sinks in Gen.Choose(0, 3)
            from window in Gen.Choose(0, 5)
            from percent in Gen.Choose(0, 110)
            from special in Gen.Elements(false, true)
            from type in Gen.Elements(DType.F32, DType.F16)
            from slack in Gen.Choose(0, 3)
            select new Case(seed, h, most, rule, share, sinks, window, percent, special, type, slack);
        Prop.ForAll(cases.ToArbitrary(), HoldsFor).Check(Config.QuickThrowOnFailure.WithMaxTest(tests).WithStartSize(1).WithEndSize(1));
    }

    private void HoldsFor(Case c)
    {
        Random random = new(c.Seed);
        int sequence = random.Next(2);
        HostStore store = HostStore.Random(random, c.Type, 2, c.Heads, 4, Draw.Lengths(random, 2 * c.Heads, 1, c.Length), slack: 1);
        int columns = store.Longest(sequence) + random.Next(2);
        int[] held = store.Lengths.AsSpan(sequence * c.Heads, c.Heads).ToArray();
        int guarded = held.Sum(n => n - ProtectedRows.Candidates(n, c.Sinks, c.Window));
        int total = guarded + ((held.Sum() - guarded) * c.Percent / 100);
        float[] scores = Draw.Scores(random, c.Heads * columns, c.Special);
        (Plan plan, Slot[] slots) = Decide(store, c.Rule, c.Share, sequence, c.Sinks, c.Window, total, c.Slack, columns);
        Given given = new()
        {
            Inputs = { [slots[0]] = store, [slots[1]] = scores },
            FreshRows = { [slots[4]] = store.Capacities.Sum() + total + (c.Heads * c.Slack) },
        };

        (Results expected, Results actual) = devices.Run(plan, given);
        Same.Ints("counts", expected.Ints(slots[2]), actual.Ints(slots[2]));
        int kept = expected.Ints(slots[2]).Sum();
        Assert.Equal(Math.Min(total, held.Sum()), kept);
        Same.Ints("rows", expected.Ints(slots[3])[..kept], actual.Ints(slots[3])[..kept]);
        Same.Stores(expected.Store(slots[4]), actual.Store(slots[4]));
    }

    // Slots: store, scores, counts, rows, compacted store.
    private static (Plan Plan, Slot[] Slots) Decide(
        HostStore store, HeadAllocation rule, string share, int sequence, int sinks, int window, int total, int slack, int columns)
    {
        PlanBuilder b = new();
        Slot storeSlot = b.Input("store", store.Spec with { Rows = 0 });
        Slot scores = b.Input("scores", new TensorSpec(DType.F32, store.Spec.NumKvHeads, columns));
        Slot counts = b.Output(b.AllocateHeads(scores, storeSlot, sequence, total, sinks, window, rule, Ratio.Parse(share)));
        Slot rows = b.Output(b.SelectRows(scores, counts, storeSlot, sequence, total, sinks, window));
        Slot compacted = b.Output(b.Compact(storeSlot, counts, rows, sequence, slack));
        return (b.Build("decide"), [storeSlot, scores, counts, rows, compacted]);
    }

    private sealed record Case(
        int Seed, int Heads, int Length, HeadAllocation Rule, string Share, int Sinks, int Window, int Percent, bool Special, DType Type, int Slack);
}
