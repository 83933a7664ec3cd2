using KvIL.Conformance.Theory;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>Which rows of a head stay.</summary>
public sealed class SelectionLaws
{
    internal delegate int[] Selector(float[] scores, int begin, int count, int keep);

    [Fact]
    public void Kernel_equals_the_definition_by_sorting() =>
        Law.ForAll(SelectionCase.Cases, c => EqualsDefinition(c, SelectionCase.Kernel));

    [Fact]
    public void Rows_ascend_and_the_protected_ones_are_among_them() =>
        Law.ForAll(SelectionCase.Cases, c => ProtectsAndAscends(c, SelectionCase.Kernel));

    [Fact]
    public void No_row_dropped_comes_before_a_row_kept() =>
        Law.ForAll(SelectionCase.Cases, c => KeepsTheBest(c, SelectionCase.Kernel));

    [Fact]
    public void Keeping_all_is_the_identity() => Law.ForAll(SelectionCase.Cases, c =>
        Assert.Equal(Enumerable.Range(0, c.Length), SelectionCase.Kernel(c.Scores(), c.Sinks, c.Candidates, c.Candidates)));

    [Fact]
    public void A_run_no_longer_than_its_window_has_nothing_to_lose() => Law.ForAll(SelectionCase.Cases, c =>
    {
        for (int length = 0; length <= c.Window; length++)
        {
            Assert.Equal(0, ProtectedRows.Candidates(length, c.Sinks, c.Window));
            Assert.Equal((length, 0), (ProtectedRows.Window(length, c.Window), ProtectedRows.Sinks(length, c.Sinks, c.Window)));
        }

        // Sinks, candidates and window are the whole run, whatever their sizes.
        Assert.Equal(c.Length, ProtectedRows.Sinks(c.Length, c.Keep, c.Window) + ProtectedRows.Window(c.Length, c.Window)
            + ProtectedRows.Candidates(c.Length, c.Keep, c.Window));
    });

    [Fact]
    public void Selecting_again_from_what_was_kept_changes_nothing() => Law.ForAll(SelectionCase.Cases, c =>
    {
        float[] scores = c.Scores();
        float[] kept = [.. SelectionCase.Kernel(scores, c.Sinks, c.Candidates, c.Keep).Select(j => scores[j])];
        Assert.Equal(Enumerable.Range(0, kept.Length), SelectionCase.Kernel(kept, c.Sinks, c.Keep, c.Keep));
    });

    [Fact]
    public void Larger_selections_contain_smaller_ones() => Law.ForAll(SelectionCase.Cases, c =>
    {
        float[] scores = c.Scores();
        for (int keep = 0; keep < c.Candidates; keep++)
        {
            int[] fewer = SelectionCase.Kernel(scores, c.Sinks, c.Candidates, keep);
            Assert.Empty(fewer.Except(SelectionCase.Kernel(scores, c.Sinks, c.Candidates, keep + 1)));
        }
    });

    [Fact]
    public void Scores_without_ties_are_followed_wherever_they_move() => Law.ForAll(SelectionCase.Cases, c =>
    {
        float[] scores = (c with { Values = Values.Distinct }).Scores();
        int[] order = [.. Enumerable.Range(0, c.Length)];
        new Random(c.Seed).Shuffle(order.AsSpan(c.Sinks, c.Candidates));
        int[] before = SelectionCase.Kernel(scores, c.Sinks, c.Candidates, c.Keep);
        int[] after = SelectionCase.Kernel([.. order.Select(j => scores[j])], c.Sinks, c.Candidates, c.Keep);
        Assert.Equal(before, after.Select(j => order[j]).Order());
    });

    [Fact]
    public void Runs_on_many_threads_repeat()
    {
        float[] scores = new AllocationCase([5000], default, Values.Specials, 3).Scores()[0];
        int[] once = SelectionCase.Kernel(scores, 4, 4900, 1234);
        Parallel.For(0, 16, _ => Assert.Equal(once, SelectionCase.Kernel(scores, 4, 4900, 1234)));
    }

    internal static void EqualsDefinition(SelectionCase c, Selector select)
    {
        float[] scores = c.Scores();
        Assert.Equal(Allocation.Rows(scores, c.Sinks, c.Candidates, c.Keep), select(scores, c.Sinks, c.Candidates, c.Keep));
    }

    internal static void ProtectsAndAscends(SelectionCase c, Selector select)
    {
        int[] rows = select(c.Scores(), c.Sinks, c.Candidates, c.Keep);
        Assert.Equal(rows.Distinct().Order(), rows);
        Assert.Equal(c.Sinks + c.Keep + c.Window, rows.Length);
        Assert.Equal(Enumerable.Range(0, c.Sinks), rows.Take(c.Sinks));
        Assert.Equal(Enumerable.Range(c.Length - c.Window, c.Window), rows.TakeLast(c.Window));
    }

    internal static void KeepsTheBest(SelectionCase c, Selector select)
    {
        float[] scores = c.Scores();
        int[] rows = select(scores, c.Sinks, c.Candidates, c.Keep);
        foreach (int dropped in Enumerable.Range(c.Sinks, c.Candidates).Except(rows))
        {
            foreach (int kept in rows.Where(j => j >= c.Sinks && j < c.Sinks + c.Candidates))
            {
                (uint worse, uint better) = (ScoreOrder.Key(scores[dropped]), ScoreOrder.Key(scores[kept]));
                Assert.True(better > worse || (better == worse && kept < dropped));
            }
        }
    }
}
