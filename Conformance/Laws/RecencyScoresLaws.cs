using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="RecencyScoresOp"/>.</summary>
public static class RecencyScoresLaws
{
    public static Law<EvictionCase> Exact { get; } = new("RecencyScores_are_positions", "RecencyScoresOp", (laws, c) =>
    {
        Scenario s = new("recency");
        Slot store = s.Input("store", c.Store.Store());
        Slot y = s.Output(s.Builder.RecencyScores(store, s.Bind("sequence", c.Sequence), s.Bind("len", c.Columns)));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        Expect.Exact(expected.Reals(y), actual.Reals(y));
    });
}
