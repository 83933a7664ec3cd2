using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="RememberQueriesOp"/>.</summary>
public static class RememberQueriesLaws
{
    public static Law<StoreCase> Exact { get; } = new("RememberQueries_keeps_the_last_queries_in_ring_order", "RememberQueriesOp", (laws, c) =>
    {
        Scenario s = new("remember");
        Dim n = s.Bind("n", c.N);
        Slot window = s.Input("window", c.QueryWindow());
        s.Builder.RememberQueries(
            window,
            s.Input("q", c.NewQueries(), n, c.QueryHeads * c.HeadDim),
            s.Input("positions", c.NewPositions(), n),
            s.Input("sequences", c.NewSequences(), n));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        Expect.Exact(expected.Reals(window), actual.Reals(window));
    });
}
