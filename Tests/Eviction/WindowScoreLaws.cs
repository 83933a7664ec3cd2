using FsCheck;
using FsCheck.Fluent;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>Queries and keys of one layer.</summary>
public sealed record WindowCase(int KvHeads, int Group, int Length, int Window, int Seed)
{
    public int Heads => KvHeads * Group;

    public static Arbitrary<WindowCase> Cases { get; } = Arb.From(
        from kv in Gen.Choose(1, 3)
        from g in Gen.Elements(1, 2, 4)
        from w in Gen.Choose(1, 4)
        from n in Gen.Choose(1, 9)
        from seed in Gen.Choose(0, 1 << 20)
        select new WindowCase(kv, g, w + n, w, seed), Shrink);

    public double[,,] Queries() => Fill(Heads, Seed);

    public double[,,] Keys() => Fill(KvHeads, Seed + 1);

    private double[,,] Fill(int heads, int seed)
    {
        var random = new Random(seed);
        double[,,] x = new double[heads, Length, 3];
        for (int i = 0; i < x.Length; i++) x[i / (Length * 3), i / 3 % Length, i % 3] = (4 * random.NextDouble()) - 2;
        return x;
    }

    private static IEnumerable<WindowCase> Shrink(WindowCase c)
    {
        if (c.KvHeads > 1) yield return c with { KvHeads = 1 };
        if (c.Group > 1) yield return c with { Group = c.Group / 2 };
        if (c.Window > 1) yield return c with { Window = c.Window - 1, Length = c.Length - 1 };
        if (c.Length > c.Window + 1) yield return c with { Length = c.Length - 1 };
    }
}

/// <summary>
/// The definitions of window scores: other code is checked against them, so they are checked against theory.
/// </summary>
public sealed class WindowScoreLaws
{
    [Fact]
    public void Attention_is_causal_and_each_row_sums_to_one() => Law.ForAll(WindowCase.Cases, c =>
    {
        double[,,] a = WindowScores.Attention(c.Queries(), c.Keys(), c.Window);
        for (int row = 0; row < c.Heads * c.Window; row++)
        {
            (int i, int t) = (row / c.Window, row % c.Window);
            int visible = c.Length - c.Window + t + 1;

            // n divisions and n − 1 additions of parts of 1, γ_2n in double.
            Assert.InRange(Math.Abs(1 - Enumerable.Range(0, c.Length).Sum(j => a[i, t, j])), 0, 2.0 * c.Length / (1L << 53));
            Assert.All(Enumerable.Range(visible, c.Length - visible), j => Assert.Equal(0, a[i, t, j]));
            Assert.All(Enumerable.Range(0, visible), j => Assert.True(a[i, t, j] > 0));
        }
    });

    [Fact]
    public void A_later_key_does_not_change_an_earlier_query() => Law.ForAll(WindowCase.Cases, c =>
    {
        double[,,] k = c.Keys();
        double[,,] before = WindowScores.Attention(c.Queries(), k, c.Window);
        for (int h = 0; h < c.KvHeads; h++) k[h, c.Length - 1, 0] += 5;
        double[,,] after = WindowScores.Attention(c.Queries(), k, c.Window);
        for (int t = 0; t < c.Window - 1; t++)
        {
            Assert.All(Enumerable.Range(0, c.Length), j => Assert.Equal(before[0, t, j], after[0, t, j]));
        }
    });

    [Fact]
    public void A_group_of_one_is_no_group() => Law.ForAll(WindowCase.Cases, c =>
    {
        double[,,] a = WindowScores.Attention(c.Queries(), c.Keys(), c.Window);
        foreach (PoolKind kind in Enum.GetValues<PoolKind>())
        {
            Assert.Equal(
                WindowScores.Pool(WindowScores.MeanOverWindow(a, c.Length - c.Window), 3, kind),
                WindowScores.Scores(a, c.Heads, 3, kind, PoolOrder.GroupThenPool, Enumerable.Average));
        }
    });

    [Fact]
    public void Copies_of_a_head_score_as_the_head() => Law.ForAll(WindowCase.Cases, c =>
    {
        double[,,] one = c.Queries();
        double[,,] copies = new double[c.Heads, c.Length, 3];
        for (int x = 0; x < copies.Length; x++)
        {
            (int i, int t, int d) = (x / (c.Length * 3), x / 3 % c.Length, x % 3);
            copies[i, t, d] = one[i / c.Group, t, d];
        }

        double[,,] first = new double[c.KvHeads, c.Length, 3];
        Array.Copy(one, first, first.Length);
        foreach (PoolOrder order in Enum.GetValues<PoolOrder>())
        {
            double[,] Scores(double[,,] q) => WindowScores.Scores(
                WindowScores.Attention(q, c.Keys(), c.Window), c.KvHeads, 3, PoolKind.Max, order, Enumerable.Average);
            Assert.Equal(Scores(first), Scores(copies)); // sums of 1, 2 or 4 equal terms are exact
        }
    });

    [Fact]
    public void Sum_and_mean_over_the_group_select_alike() => Law.ForAll(WindowCase.Cases, c =>
    {
        double[,,] a = WindowScores.Attention(c.Queries(), c.Keys(), c.Window);
        int[][] Rows(Func<IEnumerable<double>, double> group)
        {
            double[,] s = WindowScores.Scores(a, c.KvHeads, 1, PoolKind.Avg, PoolOrder.GroupThenPool, group);
            int n = s.GetLength(1);
            return [.. Enumerable.Range(0, c.KvHeads).Select(h => SelectionCase.Kernel(
                [.. Enumerable.Range(0, n).Select(j => (float)s[h, j])], 0, n, n / 2))];
        }

        Assert.Equal(Rows(Enumerable.Sum), Rows(Enumerable.Average)); // the group's size is a power of two
    });

    [Fact]
    public void A_query_head_moves_its_own_kv_head_alone() => Law.ForAll(WindowCase.Cases, c =>
    {
        double[,] Scores(double[,,] q) => WindowScores.Scores(
            WindowScores.Attention(q, c.Keys(), c.Window), c.KvHeads, 1, PoolKind.Avg, PoolOrder.GroupThenPool, Enumerable.Average);
        int spiked = c.Seed % c.Heads;
        double[,,] q = c.Queries();
        double[,] before = Scores(q);
        for (int t = c.Length - c.Window; t < c.Length; t++) q[spiked, t, 0] += 9;
        double[,] after = Scores(q);
        for (int h = 0; h < c.KvHeads; h++)
        {
            bool same = Enumerable.Range(0, before.GetLength(1)).All(j => before[h, j] == after[h, j]);
            Assert.Equal(h != spiked / c.Group, same);
        }
    });

    [Fact]
    public void Pooling_before_the_mean_agrees_for_averages_only()
    {
        var c = new WindowCase(1, 1, 20, 4, 3);
        double[,,] a = WindowScores.Attention(c.Queries(), c.Keys(), c.Window);
        foreach (PoolKind kind in Enum.GetValues<PoolKind>())
        {
            double[,] code = WindowScores.Scores(a, 1, 5, kind, PoolOrder.GroupThenPool, Enumerable.Average);
            double[,] paper = WindowScores.PooledThenMean(a, 5, kind);
            double apart = Enumerable.Range(0, 16).Max(j => Math.Abs(code[0, j] - paper[0, j]));

            // 5 · 4 additions of weights below 1 and two divisions, on both sides.
            Assert.Equal(kind == PoolKind.Avg, apart <= 2 * 22.0 / (1L << 53));
        }
    }
}
