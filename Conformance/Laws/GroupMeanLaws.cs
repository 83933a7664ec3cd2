using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="GroupMeanOp"/>.</summary>
public static class GroupMeanLaws
{
    public static Law<EvictionCase> Agrees { get; } = new("GroupMean_agrees_with_the_oracle", "GroupMeanOp; class Reduction", (laws, c) =>
    {
        HostTensor scores = c.ScoreRows(c.Store.QueryHeads);
        (Scenario s, Slot y) = Plan(c, scores);
        (Scenario magnitudes, Slot mean) = Plan(c, scores.Abs());
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] terms = laws.Oracle.Run(magnitudes).Reals(mean);
        Expect.Within(expected.Reals(y), actual.Reals(y), i => Tolerance.Mean(c.Store.Group, terms[i]));
    });

    private static (Scenario, Slot) Plan(EvictionCase c, HostTensor scores)
    {
        Scenario s = new("group-mean");
        Slot x = s.Input("x", scores, c.Store.QueryHeads, s.Bind("len", c.Columns));
        return (s, s.Output(s.Builder.GroupMean(x, c.Store.KvHeads)));
    }
}
