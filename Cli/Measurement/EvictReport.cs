using System.Numerics;
using KvIL.Conformance;
using KvIL.Conformance.Theory;
using KvIL.Eviction;

namespace KvIL.Cli.Measurement;

/// <summary>What <c>kvil evict --json</c> prints.</summary>
/// <param name="Policy">The policy with every key.</param>
/// <param name="File">The file.</param>
/// <param name="Input">Prefix of the tensors.</param>
/// <param name="Shape">Sizes of the input.</param>
/// <param name="Budget">What the budget came to.</param>
/// <param name="Scores">Scores that are no finite numbers, among the rows that compete.</param>
/// <param name="DecisionIsDefined">Whether the plan's rows are those that its scores decide by definition.</param>
/// <param name="Query">The query at which the loss is measured: qd or last; null without values.</param>
/// <param name="Allocation">What the policy keeps.</param>
/// <param name="Uniform">What the same scores and the same total keep under a uniform split; null where the policy's is one, or where a second stage scores by the split.</param>
internal sealed record EvictReport(
    string Policy, string File, string Input, InputShape Shape, RowBudget Budget, NotFinite Scores, bool DecisionIsDefined, string? Query,
    Allotment Allocation, Allotment? Uniform)
{
    /// <summary>Whether everything that must hold does.</summary>
    public bool Ok => DecisionIsDefined && Allocation.Cost is not { ChainHolds: false } && Uniform?.Cost is not { ChainHolds: false };
}

/// <summary>Sizes; those that scores alone do not have are null.</summary>
internal sealed record InputShape(int Tokens, int KvHeads, int? QueryHeads, int? HeadDim, int? Width);

/// <summary>A budget in rows.</summary>
/// <param name="Text">As it was given.</param>
/// <param name="RowsPerHead">Rows per KV head on average, protected rows included.</param>
/// <param name="Total">Over all heads.</param>
/// <param name="ProtectedPerHead">Rows of each head that are always kept.</param>
/// <param name="Divided">Rows that the rule divides.</param>
internal sealed record RowBudget(string Text, int RowsPerHead, int Total, int ProtectedPerHead, int Divided);

/// <summary>Counts of scores that are no finite numbers: NaN ranks as the lowest, infinities where they belong.</summary>
internal sealed record NotFinite(int Nan, int PositiveInfinite, int NegativeInfinite)
{
    /// <summary>All of them.</summary>
    public int Count => Nan + PositiveInfinite + NegativeInfinite;

    public static NotFinite In(EvictionDecision decision)
    {
        float[] scores = [.. decision.CandidateScores.SelectMany(row => row)];
        return new(scores.Count(float.IsNaN), scores.Count(float.IsPositiveInfinity), scores.Count(float.IsNegativeInfinity));
    }
}

/// <summary>Rows of each head, and their cost where values are given.</summary>
/// <param name="Rule">How the rows were divided.</param>
/// <param name="Heads">One entry a KV head.</param>
/// <param name="Cost">Loss and bounds; null without values.</param>
internal sealed record Allotment(HeadAllocation Rule, IReadOnlyList<HeadAllotment> Heads, LayerCost? Cost)
{
    public static Allotment Of(EvictionDecision decision, LayerLoss? loss)
    {
        (BigInteger[] quotas, BigInteger unit) = decision.Quotas;
        return new(
            decision.Rule,
            [.. quotas.Select((quota, h) => HeadAllotment.Of(h, quota, unit, decision))],
            loss is null ? null : LayerCost.Of(loss, decision.Rows));
    }
}

/// <summary>One KV head.</summary>
/// <param name="Head">Its number.</param>
/// <param name="Quota">What it would get beyond the protected rows if rows could be divided: an exact decimal or fraction.</param>
/// <param name="QuotaValue">The same as a double.</param>
/// <param name="Budget">What it gets beyond them.</param>
/// <param name="Kept">Rows kept, protected rows included.</param>
/// <param name="Rows">Which.</param>
internal sealed record HeadAllotment(int Head, string Quota, double QuotaValue, int Budget, int Kept, IReadOnlyList<int> Rows)
{
    public static HeadAllotment Of(int head, BigInteger quota, BigInteger unit, EvictionDecision decision)
    {
        BigInteger divisor = BigInteger.GreatestCommonDivisor(quota, unit);
        (BigInteger above, BigInteger below) = (quota / divisor, unit / divisor);
        string text = above <= long.MaxValue && below <= long.MaxValue ? new Ratio((long)above, (long)below).ToString() : $"{above}/{below}";
        int kept = decision.Counts[head];
        return new(head, text, (double)above / (double)below, kept - decision.Protected, kept, decision.Rows[head]);
    }
}

/// <summary>Loss and bounds at one query.</summary>
/// <param name="L">Loss.</param>
/// <param name="Theta">θ.</param>
/// <param name="EpsilonHead">ε_head.</param>
/// <param name="Epsilon">ε.</param>
/// <param name="C">Largest L1 norm of a row of V W^O.</param>
/// <param name="RetainedMass">F of each query head.</param>
/// <param name="ChainHolds">Whether L ≤ θ ≤ ε_head ≤ ε, to 1e-9 of ε.</param>
internal sealed record LayerCost(double L, double Theta, double EpsilonHead, double Epsilon, double C, IReadOnlyList<double> RetainedMass, bool ChainHolds)
{
    private const double Rounding = 1e-9;

    public static LayerCost Of(LayerLoss loss, int[][] kept)
    {
        LossChain chain = loss.Of(kept);
        double slack = Rounding * chain.Epsilon;
        bool holds = chain.L <= chain.Theta + slack && chain.Theta <= chain.EpsilonHead + slack && chain.EpsilonHead <= chain.Epsilon + slack;
        return new(chain.L, chain.Theta, chain.EpsilonHead, chain.Epsilon, loss.Norm, loss.RetainedMass(kept), holds);
    }
}
