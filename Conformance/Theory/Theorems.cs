using System.Collections.Immutable;
using System.Globalization;
using KvIL.Conformance.Statements;
using KvIL.Eviction;

namespace KvIL.Conformance.Theory;

/// <summary>The theorems of Ada-KV (arXiv:2407.11550), §3, on random cases in double; sets of rows are tried out one by one.</summary>
/// <remarks>That Ada's true loss is below uniform's is no theorem: <see cref="AdaAgainstUniform"/> counts how often it is.</remarks>
public static class Theorems
{
    /// <summary>‖A − Â‖₁ = 2(1 − F) for every query head that keeps a row.</summary>
    public static Theorem<TheoremCase> ChangeOfAttention { get; } = new("|A - A'|_1 = 2(1 - F)", "Ada-KV, proof of theorem 3.1", c =>
    {
        EvictionLoss loss = c.Loss(c.AnyRows());
        double[,] a = c.Attention();
        for (int i = 0; i < c.Heads; i++)
        {
            double change = Enumerable.Range(0, c.Tokens).Sum(j => Math.Abs(a[i, j] - loss.Renormalised(i, j)));
            double twice = 2 * loss.DroppedMass(i);
            Expect.True(Math.Abs(change - twice) <= 1e-9 * 2, $"head {i}: |A - A'|_1 is {change:R} and 2(1 - F) is {twice:R}");
        }
    });

    /// <summary>L ≤ θ ≤ ε_head ≤ ε, whatever is kept.</summary>
    public static Theorem<TheoremCase> Chain { get; } = new("L <= theta <= eps_head <= eps", "Ada-KV, theorem 3.1; CriticalKV, theorem 3.3", c =>
    {
        EvictionLoss loss = c.Loss(c.AnyRows());
        (string Name, double Value)[] chain = [("L", loss.Loss), ("theta", loss.Theta), ("eps_head", loss.EpsilonPerHead), ("eps", loss.Epsilon)];
        for (int i = 1; i < chain.Length; i++)
        {
            AtMost(c, loss, $"{chain[i - 1].Name}", chain[i - 1].Value, chain[i].Name, chain[i].Value);
        }
    });

    /// <summary>Algorithm 1 has the least ε of all sets of B rows, for every B.</summary>
    public static Theorem<TheoremCase> Algorithm1IsMinimal { get; } = new(
        "no set of B rows has a smaller eps than algorithm 1", "Ada-KV, theorem 3.3, by trying all sets", c =>
    {
        float[][] scores = c.Scores();
        double[] best = BruteForce.BestMasses([.. scores.SelectMany(row => row.Select(x => (double)x))]);
        for (int total = 0; total < best.Length; total++)
        {
            EvictionLoss ada = c.Loss(c.BestRows(Allocation.Pure(scores, total)));
            double least = 2 * ada.Norm * (c.Heads - (c.Group * best[total]));
            AtMost(c, ada, $"eps of algorithm 1 at B = {total}", ada.Epsilon, "the least eps of all sets", least);
        }
    });

    /// <summary>ε of Ada ≤ of a blend ≤ of the uniform split, where heads divide the budget.</summary>
    public static Theorem<TheoremCase> BlendLiesBetween { get; } = new(
        "eps of Ada <= eps of a blend <= eps of uniform", "Ada-KV, algorithms 1 and 2, exact rounding; heads divide B", c =>
    {
        float[][] scores = c.Scores();
        EvictionLoss Of(HeadAllocation mode) => c.Loss(c.BestRows(Allocation.Counts(scores, c.Total, mode, new(c.FloorPercent, 100))));
        (EvictionLoss ada, EvictionLoss blend, EvictionLoss uniform) = (Of(HeadAllocation.Pure), Of(HeadAllocation.Blend), Of(HeadAllocation.Uniform));
        AtMost(c, ada, "eps of Ada", ada.Epsilon, "eps of the blend", blend.Epsilon);
        AtMost(c, ada, "eps of the blend", blend.Epsilon, "eps of uniform", uniform.Epsilon);
    });

    /// <summary>All of them.</summary>
    public static ImmutableArray<IStatement> All { get; } = [ChangeOfAttention, Chain, Algorithm1IsMinimal, BlendLiesBetween];

    private static void AtMost(TheoremCase c, EvictionLoss scale, string what, double value, string bound, double limit)
    {
        if (value > limit + c.Slack(scale.Norm))
        {
            throw new LawViolation(string.Create(CultureInfo.InvariantCulture, $"{what} is {value:R}, above {bound}, {limit:R}"));
        }
    }
}
