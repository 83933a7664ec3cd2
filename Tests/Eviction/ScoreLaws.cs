using KvIL.Conformance.Theory;
using KvIL.Conformance.Theory.Scores;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>Laws of all published scores, and of single ones. Definitions are in double; 1e-9 covers their sums.</summary>
public sealed class ScoreLaws
{
    private const double Slack = 1e-9;

    [Fact]
    public void A_score_reads_what_it_says_it_needs_and_nothing_else() => Law.ForAll(ScoreCase.Cases, c =>
    {
        foreach ((string name, IScore score) in ScoreCase.Scores) ReadsItsNeeds(c, name, score);
    }, 25);

    [Fact]
    public void Mutant_a_score_that_looks_at_values_unannounced() => Law.Catches(
        ScoreCase.Cases, c => ReadsItsNeeds(c, "knorm", new Mutant(new Knorm(), x => x.Values)));

    [Fact]
    public void Scores_are_numbers_for_the_rows_that_compete() => Law.ForAll(ScoreCase.Cases, c =>
    {
        foreach ((string name, IScore score) in ScoreCase.Scores)
        {
            (int begin, int count) = score.Candidates(c.Length);
            double[,] s = score.Of(c.Inputs());
            Assert.InRange(begin, 0, c.Length);
            Assert.InRange(begin + count, 0, c.Length);
            Assert.Equal((c.KvHeads, count), (s.GetLength(0), s.GetLength(1)));
            Assert.All(s.Cast<double>(), x => Assert.True(double.IsFinite(x), name));
        }
    }, 25);

    [Fact]
    public void Copies_of_a_query_head_score_as_the_head() => Law.ForAll(ScoreCase.Cases, c =>
    {
        // All query heads of a group are its first one; with a group of one there is that one alone.
        ScoreInputs copies = c.Inputs(i => i / c.Group);
        ScoreInputs single = (c with { Group = 1 }).Inputs();
        foreach ((string name, IScore score) in ScoreCase.Scores) Near(name, score.Of(single), score.Of(copies));
    }, 25);

    [Fact]
    public void Scores_follow_their_heads() => Law.ForAll(ScoreCase.Cases, c => FollowHeads(c, s => s), 25);

    [Fact]
    public void Mutant_a_query_head_that_scores_for_the_next_kv_head() => Law.Catches(
        ScoreCase.Cases, c => FollowHeads(c, s => new Mutant(s, _ => null, swap: true)));

    [Fact]
    public void Column_sums_count_every_query_once() => Law.ForAll(ScoreCase.Cases, c =>
    {
        double[,] sums = c.Inputs().ColumnSums();
        for (int i = 0; i < c.Heads; i++) Assert.InRange(Arrays.Row(sums, i).Sum(), c.Length - Slack, c.Length + Slack);

        double[,] heavy = new H2O(0).Of(c.Inputs());
        double[,] observed = new ObservedAttention().Of(c.Inputs());
        Near("h2o", heavy, Arrays.Table(c.KvHeads, c.Length, (g, j) => observed[g, j] * (c.Length - j)));
    }, 25);

    [Fact]
    public void The_last_row_is_the_window_of_one()
    {
        var c = new ScoreCase(2, 2, 12, 5);
        double[,] window = new SnapKv(1, 1, PoolKind.Avg).Of(c.Inputs());
        double[,] last = new Tova().Of(c.Inputs());
        Near("tova", last, Arrays.Table(2, 11, (_, j) => (window[0, j] + window[1, j]) / 2));
    }

    [Fact]
    public void Cake_without_variance_is_snapkv() => Law.ForAll(ScoreCase.Cases, c => Near(
        "cake", new SnapKv(3, 3, PoolKind.Avg).Of(c.Inputs()), new Cake(3, Gamma: 0, Kernel: 3).Of(c.Inputs())), 25);

    [Fact]
    public void Finch_without_its_factor_is_snapkv_without_pooling() => Law.ForAll(ScoreCase.Cases, c => Near(
        "finch", new SnapKv(3, 1).Of(c.Inputs()), new Finch(3, Normalise: false).Of(c.Inputs())), 25);

    [Fact]
    public void A_preference_is_zero_where_attention_stands_still_and_grows_where_it_spreads()
    {
        double[,,] Attention(params double[][] rows)
        {
            double[,,] a = new double[1, rows.Length, rows[0].Length];
            for (int x = 0; x < a.Length; x++) a[0, x / rows[0].Length, x % rows[0].Length] = rows[x / rows[0].Length][x % rows[0].Length];
            return a;
        }

        Assert.Equal(0, Cake.Preference(Attention([.5, .5, 0, 0], [.5, .5, 0, 0])));
        double narrow = Cake.Preference(Attention([.9, .1, 0, 0], [.8, .2, 0, 0]));
        Assert.InRange(Cake.Preference(Attention([.6, .4, 0, 0], [.5, .5, 0, 0])), narrow + Slack, double.MaxValue);
    }

    [Fact]
    public void Directions_are_blind_to_the_length_of_all_keys() => Law.ForAll(ScoreCase.Cases, c =>
    {
        double[,] cosines = new KeyDiff().Of(c.Inputs());
        Near("keydiff", cosines, new KeyDiff().Of(c.Inputs(keyScale: 8)));
        Assert.All(cosines.Cast<double>(), s => Assert.InRange(s, -1 - Slack, 1 + Slack));
        double[,] norms = new Knorm().Of(c.Inputs());
        Near("knorm", Arrays.Table(c.KvHeads, c.Length, (g, j) => 8 * norms[g, j]), new Knorm().Of(c.Inputs(keyScale: 8)));
    }, 25);

    [Fact]
    public void Expected_attention_is_a_distribution_and_knows_no_spread_of_equal_queries() => Law.ForAll(ScoreCase.Cases, c =>
    {
        double[,] s = new ExpectedAttention(2, 16, ValueNorm: false).Of(c.Inputs());
        for (int g = 0; g < c.KvHeads; g++) Assert.InRange(Arrays.Row(s, g).Sum(), 1 - Slack, 1 + Slack);

        double[,,] q = new double[c.Heads, c.Length, 4];
        for (int x = 0; x < q.Length; x++) q[x / (c.Length * 4), x / 4 % c.Length, x % 4] = (x % 4) - 1 + (x / (c.Length * 4));
        ScoreInputs equal = new(c.Inputs().Keys) { PreRopeQueries = q };
        ExpectedAttention mean = new(2, 1, Covariance: false, ValueNorm: false);
        Near("expected", mean.Of(equal), (mean with { Covariance = true }).Of(equal));
    }, 25);

    [Fact]
    public void LagKv_blocks_share_out_one_or_rank_their_rows() => Law.ForAll(ScoreCase.Cases, c =>
    {
        const int Lag = ScoreCase.Block;
        if (c.Length < 2 + (2 * Lag)) return;
        LagKv score = new(2, Lag, CrossScoring: true);
        (double[,] shares, double[,] ranks) = (score.Of(c.Inputs()), (score with { CrossScoring = false }).Of(c.Inputs()));
        for (int g = 0; g < c.KvHeads; g++)
        {
            foreach (double[] block in Arrays.Row(shares, g).Chunk(Lag)) Assert.InRange(block.Sum(), 1 - Slack, 1 + Slack);
            foreach (double[] block in Arrays.Row(ranks, g).Chunk(Lag)) Assert.Equal([0, .25, .5, .75], block.Order());
        }
    }, 25);

    [Fact]
    public void CurDkv_shares_out_one() => Law.ForAll(ScoreCase.Cases, c =>
    {
        foreach (CurLeverage leverage in Enum.GetValues<CurLeverage>())
        {
            double[,] s = new CurDkv(0, ScoreCase.Block, leverage).Of(c.Inputs());
            for (int g = 0; g < c.KvHeads; g++) Assert.InRange(Arrays.Row(s, g).Sum(), 1 - Slack, 1 + Slack);
        }
    }, 25);

    [Fact]
    public void Published_padding_matters_where_the_last_chunk_is_short_alone() => Law.ForAll(ScoreCase.Cases, c =>
    {
        NonCausalAttention score = new(ScoreCase.Block);
        double[,] apart = score.Of(c.Inputs()), padded = (score with { PublishedPadding = true }).Of(c.Inputs());
        Assert.Equal(c.Length % ScoreCase.Block == 0, apart.Cast<double>().SequenceEqual(padded.Cast<double>()));
    }, 25);

    [Fact]
    public void Leverage_of_all_rows_is_at_most_the_dimension()
    {
        double[][] rows = Arrays.Vectors(new ScoreCase(1, 1, 19, 3).Inputs().Keys, 0);
        double[,] gram = Arrays.Table(4, 4, (a, b) => rows.Sum(r => r[a] * r[b]));
        Assert.InRange(Arrays.InverseForms(gram, rows).Sum(), 4 - Slack, 4 + Slack); // tr X (XᵀX)⁻¹ Xᵀ = d
        Assert.All(Arrays.InverseForms(gram, rows), l => Assert.InRange(l, 0, 1));
    }

    [Fact]
    public void CriticalKv_norms_are_those_of_the_loss() => Law.ForAll(ScoreCase.Cases, c =>
    {
        ScoreInputs x = (c with { Group = 1 }).Inputs();
        double[,] norms = CriticalKv.ProjectedNorms(x.Values, x.OutputProjection);
        double[,,] u = EvictionLoss.Contributions(x.Values, x.OutputProjection);
        EvictionLoss loss = new(new double[c.KvHeads, c.Length], u, new bool[c.KvHeads, c.Length]);
        Near("norms", Arrays.Table(c.KvHeads, c.Length, loss.RowNorm), norms);
    }, 25);

    [Fact]
    public void Random_scores_are_uniform_and_always_the_same()
    {
        Assert.Equal([0.652448475f, 0.265001774f], new[] { RandomScore.Of(0, 0, 0), RandomScore.Of(7, 3, 11) });
        float[] drawn = [.. Enumerable.Range(0, 10_000).Select(j => RandomScore.Of(1, j % 4, j))];
        Assert.All(drawn, x => Assert.InRange(x, 0, 1 - (1f / (1 << 24))));
        for (int tenth = 0; tenth < 10; tenth++)
        {
            // Mean 1000, standard deviation 30.
            Assert.InRange(drawn.Count(x => (int)(x * 10) == tenth), 1000 - 150, 1000 + 150);
        }
    }

    [Fact]
    public void What_is_not_given_is_named() =>
        Assert.Contains("Values", Assert.Throws<InvalidOperationException>(() => new ScoreInputs(new double[1, 2, 2]).Values).Message);

    private static void ReadsItsNeeds(ScoreCase c, string name, IScore score)
    {
        ScoreInputs x = c.Inputs();
        score.Of(x);
        Assert.True(x.Seen == score.Needs, $"{name} says {score.Needs} and reads {x.Seen}");
    }

    private static void FollowHeads(ScoreCase c, Func<IScore, IScore> mutant)
    {
        int last = c.KvHeads - 1; // heads in reverse
        ScoreInputs moved = c.Inputs(i => ((last - (i / c.Group)) * c.Group) + (i % c.Group), g => last - g);
        foreach ((string name, IScore score) in ScoreCase.Scores.Where(s => s.Score is not RandomRows))
        {
            double[,] s = score.Of(c.Inputs());
            Near(name, Arrays.Table(s.GetLength(0), s.GetLength(1), (g, j) => s[last - g, j]), mutant(score).Of(moved));
        }
    }

    private static void Near(string name, double[,] expected, double[,] actual)
    {
        Assert.Equal((expected.GetLength(0), expected.GetLength(1)), (actual.GetLength(0), actual.GetLength(1)));
        double scale = Math.Max(1e-9, expected.Cast<double>().Select(Math.Abs).DefaultIfEmpty(0).Max());
        foreach ((double e, double a) in expected.Cast<double>().Zip(actual.Cast<double>()))
        {
            Assert.True(Math.Abs(e - a) <= Slack * scale, $"{name}: {a:R} for {e:R}");
        }
    }

    /// <summary>A score that also reads something, or gives its heads' scores to the next head.</summary>
    private sealed class Mutant(IScore score, Func<ScoreInputs, object?> peek, bool swap = false) : IScore
    {
        public ScoreNeeds Needs => score.Needs;

        public double[,] Of(ScoreInputs x)
        {
            peek(x);
            double[,] s = score.Of(x);
            int heads = s.GetLength(0);
            return swap ? Arrays.Table(heads, s.GetLength(1), (g, j) => s[(g + 1) % heads, j]) : s;
        }
    }
}
