using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;

namespace KvIL.Conformance.Laws;

/// <summary>What the error bounds of attention need to know about its inputs.</summary>
internal static class AttentionTerms
{
    /// <summary>λ of <see cref="Tolerance.AttentionSpread"/> for one query over one run, whose terms have so many further roundings.</summary>
    public static double Spread(HostStore store, int run, ReadOnlySpan<double> q, AttentionRule rule, int roundings = 0)
    {
        double largest = 0;
        for (int j = 0; j < store.Lengths[run]; j++)
        {
            double sum = 0;
            ReadOnlySpan<double> key = store.Key(run, j);
            for (int c = 0; c < q.Length; c++) sum += Math.Abs(q[c] * key[c]);
            largest = Math.Max(largest, sum * Math.Abs(rule.Scale));
        }

        return Tolerance.AttentionSpread(store.Lengths[run], q.Length + roundings, largest, rule.SoftCap is not null);
    }

    /// <summary>Σ_j A_j |v_j| for each element of <c>Attend</c>.</summary>
    public static double[] Magnitudes(PlanRunner oracle, StoreCase c, HostStore store, HostTensor positions)
    {
        (Scenario s, Slot y) = AttendLaws.Plan(c, store.AbsValues(), c.NewQueries(), positions, c.NewSequences());
        return oracle.Run(s).Reals(y);
    }

    /// <summary>The bound of each element of <c>Attend</c> for the new queries, over all or some rows of <paramref name="store"/>.</summary>
    public static Func<int, double> Bounds(StoreCase c, HostStore store, double[] magnitudes, int roundings = 0)
    {
        HostTensor q = c.NewQueries(), sequences = c.NewSequences();
        double largestValue = store.Values.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty().Max();
        double[] spreads = new double[c.N * c.QueryHeads];
        for (int i = 0; i < spreads.Length; i++)
        {
            int run = store.Run(sequences.Integers[i / c.QueryHeads], i % c.QueryHeads / c.Group);
            spreads[i] = Spread(store, run, q.Reals.AsSpan(i * c.HeadDim, c.HeadDim), c.Rule, roundings);
        }

        return i => Tolerance.Attend(spreads[i / c.HeadDim], magnitudes[i], store.Lengths.Max(), largestValue);
    }
}
