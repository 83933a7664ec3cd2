using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="MaximumOp"/>.</summary>
public static class MaximumLaws
{
    public static Law<EvictionCase> Exact { get; } = new("Maximum_is_exact_and_never_NaN", "MaximumOp", (laws, c) =>
    {
        Scenario s = new("maximum");
        Dim length = s.Bind("len", c.Columns);
        int heads = c.Store.KvHeads;
        Slot a = s.Input("a", c.ScoreRows(heads, 20), heads, length), b = s.Input("b", c.ScoreRows(heads, 21), heads, length);
        Slot y = s.Output(s.Builder.Maximum(a, b));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        Expect.Exact(expected.Reals(y), actual.Reals(y));
    });
}
