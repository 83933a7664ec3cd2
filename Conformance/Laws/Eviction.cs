using KvIL.Conformance.Generators;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Scores, allocation and selection in one plan, and what may follow.</summary>
internal sealed class Eviction
{
    /// <summary>Adds allocation and selection to a plan over <paramref name="store"/>.</summary>
    public Eviction(EvictionCase c, HostStore store)
    {
        int heads = c.Store.KvHeads;
        PlanBuilder b = Scenario.Builder;
        Sequence = Scenario.Bind("sequence", c.Sequence);
        Dim sinks = Scenario.Bind("sinks", c.Sinks), window = Scenario.Bind("window", c.Window), total = Scenario.Bind("total", c.Kept);
        Slot scores = Scenario.Input("scores", c.ScoreRows(heads), heads, Scenario.Bind("len", c.Columns));
        Store = Scenario.Input("store", store);
        Counts = Scenario.Output(b.AllocateHeads(scores, Store, Sequence, total, sinks, window, c.Rule, c.Share));
        Rows = Scenario.Output(b.SelectRows(scores, Counts, Store, Sequence, total, sinks, window));
    }

    public Scenario Scenario { get; } = new("evict");

    public Dim Sequence { get; }

    public Slot Store { get; }

    /// <summary>An output: rows kept per head.</summary>
    public Slot Counts { get; }

    /// <summary>An output: the rows kept.</summary>
    public Slot Rows { get; }

    /// <summary>Compacts into a fresh store whose pool is <paramref name="spare"/> rows larger than it must be.</summary>
    public Slot Compact(EvictionCase c, HostStore store, int spare)
    {
        IEnumerable<int> others = Enumerable.Range(0, store.Store.Runs).Where(run => run / c.Store.KvHeads != c.Sequence);
        long rows = others.Sum(run => (long)store.Capacities[run]) + c.Kept + (c.Store.KvHeads * c.Slack) + spare;
        return Scenario.Output(Scenario.Builder.Compact(Store, Counts, Rows, Sequence, Scenario.Bind("slack", c.Slack)), rows);
    }

    /// <summary>The kept rows of each head.</summary>
    public static int[][] Split(int[] counts, int[] rows)
    {
        int first = 0;
        int[][] heads = new int[counts.Length][];
        for (int h = 0; h < counts.Length; first += counts[h++])
        {
            heads[h] = rows[first..(first + counts[h])];
        }

        return heads;
    }
}
