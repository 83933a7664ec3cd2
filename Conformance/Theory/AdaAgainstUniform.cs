namespace KvIL.Conformance.Theory;

/// <summary>How Ada's split of a budget compares with the uniform one, over random cases: its bound, and its true loss.</summary>
/// <remarks>
/// The bound is never above (theorem 3.3). The true loss may be; that is counted, and no violation. Cases in which both splits are
/// the same tell nothing about either and are counted as equal.
/// </remarks>
/// <param name="Cases">Cases.</param>
/// <param name="BoundLower">Cases with ε of Ada below ε of uniform.</param>
/// <param name="BoundEqual">Cases with the same ε.</param>
/// <param name="MeanGain">Mean of 1 − ε_Ada/ε_uniform over the cases in which it is lower; 0 for none.</param>
/// <param name="LargestGain">The largest of these.</param>
/// <param name="LossLower">Cases with L of Ada below L of uniform.</param>
/// <param name="LossEqual">Cases with the same L.</param>
/// <param name="LossHigher">Cases with L of Ada above L of uniform.</param>
/// <param name="MedianExcess">Median of L_Ada/L_uniform − 1 over these; 0 for none.</param>
/// <param name="FirstHigher">Seed of the first of these; null for none.</param>
public sealed record AdaAgainstUniform(
    int Cases, int BoundLower, int BoundEqual, double MeanGain, double LargestGain,
    int LossLower, int LossEqual, int LossHigher, double MedianExcess, int? FirstHigher)
{
    /// <summary>Over the cases of consecutive seeds.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancelled"/> fired.</exception>
    public static AdaAgainstUniform Measure(int seed, int cases, CancellationToken cancelled = default)
    {
        AdaAgainstUniform counts = new(cases, 0, 0, 0, 0, 0, 0, 0, 0, null);
        double gains = 0;
        List<double> excesses = [];
        for (int i = 0; i < cases; i++)
        {
            cancelled.ThrowIfCancellationRequested();
            int caseSeed = unchecked(seed + i);
            TheoremCase c = TheoremCase.Generate(new Random(caseSeed));
            float[][] scores = c.Scores();
            EvictionLoss ada = c.Loss(c.BestRows(Allocation.Pure(scores, c.Total)));
            EvictionLoss uniform = c.Loss(c.BestRows(Allocation.Uniform([.. scores.Select(s => s.Length)], c.Total)));
            double slack = c.Slack(ada.Norm), gain = uniform.Epsilon - ada.Epsilon, excess = ada.Loss - uniform.Loss;
            double share = gain > slack ? gain / uniform.Epsilon : 0;
            gains += share;
            if (excess > slack) excesses.Add(excess / uniform.Loss);
            counts = counts with
            {
                BoundLower = counts.BoundLower + (gain > slack ? 1 : 0),
                BoundEqual = counts.BoundEqual + (Math.Abs(gain) <= slack ? 1 : 0),
                LargestGain = Math.Max(counts.LargestGain, share),
                LossLower = counts.LossLower + (excess < -slack ? 1 : 0),
                LossEqual = counts.LossEqual + (Math.Abs(excess) <= slack ? 1 : 0),
                LossHigher = counts.LossHigher + (excess > slack ? 1 : 0),
                FirstHigher = excess > slack ? counts.FirstHigher ?? caseSeed : counts.FirstHigher,
            };
        }

        return counts with
        {
            MeanGain = counts.BoundLower == 0 ? 0 : gains / counts.BoundLower,
            MedianExcess = excesses.Order().ElementAtOrDefault(excesses.Count / 2),
        };
    }
}
