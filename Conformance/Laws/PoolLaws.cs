using KvIL.Conformance.Generators;
using KvIL.Eviction;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="PoolOp"/>.</summary>
public static class PoolLaws
{
    public static Law<EvictionCase> Agrees { get; } = new(
        "Pool_agrees_with_the_oracle_and_exactly_for_max", "PoolOp; class Exact or Reduction", (laws, c) =>
        {
            HostTensor scores = c.ScoreRows(c.Store.QueryHeads);
            (Scenario s, Slot y) = Plan(c, scores);
            (Scenario magnitudes, Slot mean) = Plan(c, scores.Abs());
            (PlanResults expected, PlanResults actual) = laws.Run(s);
            double[] terms = laws.Oracle.Run(magnitudes).Reals(mean);
            Expect.Within(
                expected.Reals(y), actual.Reals(y), i => c.Pool == PoolKind.Max ? 0 : Tolerance.Mean(c.Kernel, terms[i]));
        });

    private static (Scenario, Slot) Plan(EvictionCase c, HostTensor scores)
    {
        Scenario s = new("pool");
        Slot x = s.Input("x", scores, c.Store.QueryHeads, s.Bind("len", c.Columns));
        Slot store = s.Input("store", c.Store.Store());
        Dim sequence = s.Bind("sequence", c.Sequence), window = s.Bind("window", c.Window);
        return (s, s.Output(s.Builder.Pool(x, store, sequence, window, c.Pool, c.Kernel)));
    }
}
