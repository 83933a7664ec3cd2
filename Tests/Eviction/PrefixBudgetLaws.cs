using KvIL.Conformance.Theory;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>PrefixKV's split over layers: the least retained share is as large as a total allows.</summary>
public sealed class PrefixBudgetLaws
{
    internal delegate int[] Splitter(long[][] weights, long total, int least);

    [Fact]
    public void The_total_is_met_exactly() => Law.ForAll(LayerSplitCase.Cases, c => MeetsTotal(c, Maximin));

    [Fact]
    public void No_other_split_retains_a_larger_least_share() => Law.ForAll(LayerSplitCase.Tiny, c => IsMaximin(c, Maximin), 60);

    [Fact]
    public void Every_layer_grows_with_the_total() => Law.ForAll(LayerSplitCase.Cases, c => Grows(c, Maximin));

    [Fact]
    public void Scale_of_a_layer_does_not_matter() => Law.ForAll(LayerSplitCase.Cases, c => IgnoresScale(c, Maximin));

    [Fact]
    public void Layers_are_treated_alike_whatever_their_number() => Law.ForAll(LayerSplitCase.Cases, c =>
    {
        // Where shares tie, a row goes by the number of the layer.
        long[][] weights = c.RowWeights();
        int[] order = [.. Enumerable.Range(0, c.Layers)];
        new Random(c.Seed).Shuffle(order);
        for (int total = 0; total <= c.Rows; total++)
        {
            (int[] before, int[] after) = (Maximin(weights, total, 0), Maximin([.. order.Select(l => weights[l])], total, 0));
            Assert.All(Enumerable.Range(0, c.Layers), i => Assert.InRange(after[i] - before[order[i]], -1, 1));
            Assert.Equal(LayerSplits.LeastShare(weights, before), LayerSplits.LeastShare([.. order.Select(l => weights[l])], after));
        }
    });

    [Fact]
    public void Identical_layers_differ_by_one_row_at_most() => Law.ForAll(LayerSplitCase.Cases, c =>
    {
        long[][] same = [.. Enumerable.Repeat(c.RowWeights()[0], c.Layers)];
        for (int total = 0; total <= same.Sum(w => w.Length); total++)
        {
            int[] budgets = Maximin(same, total, c.Least);
            Assert.InRange(budgets.Max() - budgets.Min(), 0, 1);
            Assert.Equal(budgets.OrderDescending(), budgets); // the lower layer first
        }
    });

    [Fact]
    public void A_layer_of_one_row_of_importance_gets_no_second_before_the_others_hold_everything()
    {
        long[][] weights = [[1000, 0, 0, 0], [5, 4, 3, 2], [9, 9, 1, 0]];
        Assert.Equal([1, 4, 3], Maximin(weights, 8, 0));
        Assert.Equal([2, 4, 3], Maximin(weights, 9, 0));
        Assert.Equal([2, 4, 2], Maximin(weights, 8, 2));
    }

    [Fact]
    public void Every_layer_keeps_its_least_rows_where_there_are_enough() => Law.ForAll(LayerSplitCase.Cases, c =>
    {
        long need = c.Capacities.Sum(n => Math.Min(n, c.Least));
        for (long total = need; total <= c.Rows; total++)
        {
            Assert.All(Maximin(c.RowWeights(), total, c.Least).Zip(c.Capacities), p => Assert.True(p.First >= Math.Min(c.Least, p.Second)));
        }
    });

    [Fact]
    public void A_table_meets_its_total_where_the_published_rounding_drifts()
    {
        double[] evicted = [0.115, 0.445, 0.615, 0.825];
        Assert.Equal([2, 9, 12, 16], PrefixKvCompat.DroppedByTable(evicted, 20)); // 41 rows kept of 80
        int[] budgets = new int[4];
        PrefixBudgets.FromTable(evicted, 20, 40, budgets);
        Assert.Equal([18, 11, 8, 3], budgets); // 17.7, 11.1, 7.7, 3.5 of 40
    }

    [Fact]
    public void Importance_becomes_whole_numbers_that_know_no_scale_by_powers_of_two() => Law.ForAll(SelectionCase.Cases, c =>
    {
        float[] importance = [.. c.Scores().Select(Math.Abs)];
        long[] weights = PrefixBudgets.Weights(importance);
        Assert.Equal(weights.OrderDescending(), weights);
        Assert.Equal(weights, PrefixBudgets.Weights([.. importance.Select(x => x * 4)]));
        Assert.True(weights.Length == 0 || weights.Sum() > 0);
    });

    [Fact]
    public void Mutant_the_published_search_does_not_meet_its_total() => Law.Catches(LayerSplitCase.Cases, c => MeetsTotal(c, (weights, total, _) =>
    {
        float[][] importance = [.. weights.Select(w => w.Select(x => (float)x).ToArray())];
        double evicted = 1 - ((double)Math.Min(total, c.Rows) / c.Rows);
        int[] dropped = PrefixKvCompat.Of(importance, evicted, 0).Dropped;
        return [.. weights.Select((w, l) => w.Length - dropped[l])];
    }));

    [Fact]
    public void Mutant_rows_to_the_layer_that_gains_most() => Law.Catches(LayerSplitCase.Tiny, c => IsMaximin(c, (weights, total, least) =>
        Greedy(weights, total, least, (w, k) => -(double)w[k] / w.Sum())));

    [Fact]
    public void Mutant_shares_of_the_sum_of_all_layers() => Law.Catches(LayerSplitCase.Cases, c => IgnoresScale(c, (weights, total, least) =>
        Greedy(weights, total, least, (w, k) => w.Take(k).Sum())));

    [Fact]
    public void Mutant_least_rows_taken_by_the_first_layers() => Law.Catches(LayerSplitCase.Cases, c => Grows(c, (weights, total, least) =>
    {
        int[] budgets = Maximin(weights, Math.Max(total - (weights.Length * least), 0), 0);
        return [.. budgets.Select((b, l) => Math.Min(b + (total >= weights.Length * least ? least : l), weights[l].Length))];
    }));

    private static int[] Maximin(long[][] weights, long total, int least)
    {
        int[] budgets = new int[weights.Length];
        PrefixBudgets.Maximin(weights, total, least, budgets);
        return budgets;
    }

    // One row at a time to the layer with the smallest key of (weights, rows so far).
    private static int[] Greedy(long[][] weights, long total, int least, Func<long[], int, double> key)
    {
        int[] rows = [.. weights.Select(w => (int)Math.Min(least, w.Length))];
        for (long left = total - rows.Sum(); left > 0 && rows.Zip(weights).Any(p => p.First < p.Second.Length); left--)
        {
            rows[Enumerable.Range(0, rows.Length).Where(l => rows[l] < weights[l].Length).MinBy(l => key(weights[l], rows[l]))]++;
        }

        return rows;
    }

    private static void MeetsTotal(LayerSplitCase c, Splitter split)
    {
        long[][] weights = c.RowWeights();
        for (long total = 0; total <= c.Rows + 2; total++)
        {
            int[] budgets = split(weights, total, c.Least);
            Assert.Equal(Math.Min(total, c.Rows), budgets.Sum());
            Assert.All(budgets.Zip(c.Capacities), b => Assert.InRange(b.First, 0, b.Second));
        }
    }

    private static void IsMaximin(LayerSplitCase c, Splitter split)
    {
        long[][] weights = c.RowWeights();
        for (int total = c.Capacities.Sum(n => Math.Min(n, c.Least)); total <= c.Rows; total++)
        {
            Assert.Equal(LayerSplits.BestLeastShare(weights, total, c.Least), LayerSplits.LeastShare(weights, split(weights, total, c.Least)));
        }
    }

    private static void Grows(LayerSplitCase c, Splitter split)
    {
        long[][] weights = c.RowWeights();
        for (long total = 0; total < c.Rows; total++)
        {
            (int[] fewer, int[] more) = (split(weights, total, c.Least), split(weights, total + 1, c.Least));
            Assert.All(fewer.Zip(more), b => Assert.True(b.First <= b.Second));
        }
    }

    private static void IgnoresScale(LayerSplitCase c, Splitter split)
    {
        long[][] weights = c.RowWeights();
        long[][] scaled = [.. weights.Select((w, l) => w.Select(x => x * (1 + (l * 3))).ToArray())];
        for (long total = 0; total <= c.Rows; total++) Assert.Equal(split(weights, total, c.Least), split(scaled, total, c.Least));
    }
}
