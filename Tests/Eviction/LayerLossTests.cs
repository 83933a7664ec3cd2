using FsCheck;
using FsCheck.Fluent;
using KvIL.Conformance;
using KvIL.Conformance.Statements;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>The loss of a layer of many tokens against its definition; theorems and their runner on rights and wrongs.</summary>
public sealed class LayerLossTests
{
    /// <summary>Sizes of a layer, and a seed for its numbers and for the rows that it keeps.</summary>
    public sealed record Sizes(int KvHeads, int Group, int Tokens, int HeadDim, int Width, int Seed)
    {
        public static Arbitrary<Sizes> Cases { get; } = Arb.From(
            from kv in Gen.Choose(1, 3) from g in Gen.Choose(1, 3) from n in Gen.Choose(1, 12) from d in Gen.Choose(1, 5) from w in Gen.Choose(1, 6)
            from seed in Gen.Choose(0, 1 << 20)
            select new Sizes(kv, g, n, d, w, seed),
            c => ((Sizes[])[c with { KvHeads = 1 }, c with { Group = 1 }, c with { Tokens = 1 }, c with { Width = 1 }]).Where(s => s != c));

        public int Heads => KvHeads * Group;

        public AttentionLayer Layer() => new(
            Heads, KvHeads, Tokens, HeadDim, 1 / MathF.Sqrt(HeadDim), Numbers(1, KvHeads * Tokens * HeadDim), Numbers(2, KvHeads * Tokens * HeadDim),
            Numbers(3, Width * Heads * HeadDim));

        public double[] Query() => Numbers(4, Heads * HeadDim);

        public int[][] Kept()
        {
            Random random = new(Seed + 5);
            return [.. Enumerable.Range(0, KvHeads).Select(_ => Enumerable.Range(0, Tokens).Where(_ => random.Next(2) == 0).ToArray())];
        }

        /// <summary>The textbook form of the same.</summary>
        public EvictionLoss Definition(AttentionLayer layer, int[][] kept)
        {
            double[][] a = layer.Attention(Query(), Tokens - 1);
            double[,] attention = new double[Heads, Tokens];
            bool[,] keeps = new bool[Heads, Tokens];
            double[,,] u = new double[Heads, Tokens, Width];
            for (int x = 0; x < u.Length; x++)
            {
                (int i, int j, int o) = (x / Width / Tokens, x / Width % Tokens, x % Width);
                attention[i, j] = a[i][j];
                keeps[i, j] = kept[i / Group].Contains(j);
                for (int c = 0; c < HeadDim; c++) u[i, j, o] += layer.Value(i / Group, j)[c] * layer.OutputProjection[(o * Heads * HeadDim) + (i * HeadDim) + c];
            }

            return new(attention, u, keeps);
        }

        private double[] Numbers(int stream, int count)
        {
            Random random = new((Seed * 31) + stream);
            return [.. Enumerable.Range(0, count).Select(_ => (2 * random.NextDouble()) - 1)];
        }
    }

    [Fact]
    public void The_loss_of_a_layer_is_the_definition() => Law.ForAll(Sizes.Cases, c =>
    {
        AttentionLayer layer = c.Layer();
        int[][] kept = c.Kept();
        LayerLoss loss = new(layer, c.Query(), c.Tokens - 1);
        EvictionLoss defined = c.Definition(layer, kept);
        LossChain chain = loss.Of(kept);
        double slack = 1e-12 * c.Heads * (1 + defined.Norm);
        Assert.Equal(defined.Norm, loss.Norm, slack);
        Assert.Equal(defined.Loss, chain.L, slack);
        Assert.Equal(defined.Theta, chain.Theta, slack);
        Assert.Equal(defined.EpsilonPerHead, chain.EpsilonHead, slack);
        Assert.Equal(defined.Epsilon, chain.Epsilon, slack);
        for (int i = 0; i < c.Heads; i++)
        {
            Assert.Equal(defined.RetainedMass(i), loss.RetainedMass(kept)[i], 1e-12);
            Assert.Equal(defined.DroppedMass(i), loss.DroppedMass(kept)[i], 1e-12);
        }

        // With one query the bound of the window is eps.
        Assert.Equal(chain.Epsilon, new WindowBound(layer, [c.Query()]).Epsilon(kept, loss.Norm), slack);
    });

    [Fact]
    public void The_bound_of_a_window_is_the_mean_of_its_queries_bounds() => Law.ForAll(Sizes.Cases, c =>
    {
        AttentionLayer layer = c.Layer();
        double[] first = c.Query(), last = (c with { Seed = c.Seed + 1 }).Query();
        int before = c.Tokens - 2;
        if (before < 0) return;
        LayerLoss[] each = [new(layer, first, before), new(layer, last, before + 1)];
        double mean = each.Average(loss => loss.Of(c.Kept()).Epsilon);
        Assert.Equal(mean, new WindowBound(layer, [first, last]).Epsilon(c.Kept(), each[0].Norm), 1e-12 * c.Heads * (1 + each[0].Norm));
    });

    [Fact]
    public void Masses_of_all_sets_are_those_of_brute_force() => Law.ForAll(
        Gen.Choose(1, 9).SelectMany(n => Gen.ArrayOf(Gen.Choose(-5, 5).Select(x => (double)x), n)).ToArbitrary(), scores =>
        {
            double[] best = BruteForce.BestMasses(scores);
            for (int total = 0; total <= scores.Length; total++) Assert.Equal(BruteForce.BestMass([scores], total, _ => true), best[total]);
        },
        50);

    [Fact]
    public void Quotas_add_up_to_the_total_and_rounding_moves_less_than_a_row() => Law.ForAll(AllocationCase.Tiny, c =>
    {
        float[][] scores = c.Scores();
        foreach (HeadAllocation mode in Enum.GetValues<HeadAllocation>().Where(mode => mode != HeadAllocation.Table))
        {
            for (int total = 0; total <= c.Rows; total++)
            {
                (System.Numerics.BigInteger[] quotas, System.Numerics.BigInteger one) = Allocation.Quotas(scores, total, mode, c.Floor);
                int[] counts = Allocation.Counts(scores, total, mode, c.Floor);
                Assert.Equal(total * one, quotas.Aggregate((a, b) => a + b));
                Assert.All(quotas.Zip(counts), pair => Assert.True(System.Numerics.BigInteger.Abs(pair.First - (pair.Second * one)) < one));
            }
        }
    }, 100);

    [Fact]
    public void The_theorems_hold() => Assert.All(
        AdaTheorems.All, theorem => Assert.Null(theorem.Run(seed: 20260101, cases: 300).First));

    [Theory]
    [InlineData(HeadAllocation.Uniform)]
    [InlineData(HeadAllocation.Blend)]
    public void Mutant_another_split_in_place_of_algorithm_1(HeadAllocation mode)
    {
        Theorem<TheoremCase> mutant = new("minimal", "mutant", c =>
        {
            float[][] scores = c.Scores();
            double best = BruteForce.BestMasses([.. scores.SelectMany(row => row.Select(x => (double)x))])[c.Total];
            EvictionLoss loss = c.Loss(c.BestRows(Allocation.Counts(scores, c.Total, mode, new(1, 2))));
            Expect.True(loss.Epsilon <= (2 * loss.Norm * (c.Heads - (c.Group * best))) + c.Slack(loss.Norm), $"not the least");
        });
        StatementResult result = mutant.Run(1, 200);
        Assert.InRange(result.Violations, 1, 199);
        Assert.Throws<LawViolation>(() => mutant.Check(mutant.Generate(result.First!.Seed)));
    }

    [Fact]
    public void What_no_theorem_says_is_counted_and_adds_up()
    {
        AdaAgainstUniform counts = AdaAgainstUniform.Measure(1, 400);
        Assert.Equal(400, counts.BoundLower + counts.BoundEqual);
        Assert.Equal(400, counts.LossLower + counts.LossEqual + counts.LossHigher);
        Assert.InRange(counts.LossHigher, 1, counts.BoundLower);
        Assert.InRange(counts.MeanGain, double.Epsilon, counts.LargestGain);
        Assert.Equal(counts, AdaAgainstUniform.Measure(1, 400));
    }
}
