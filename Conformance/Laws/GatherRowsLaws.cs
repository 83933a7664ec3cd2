using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="GatherRowsOp"/>.</summary>
public static class GatherRowsLaws
{
    public static Law<RowsCase> Copies { get; } = new("GatherRows_copies_rows_exactly", "GatherRowsOp", (laws, c) =>
    {
        Scenario s = new("gather");
        Dim n = s.Bind("n", c.N), m = s.Bind("m", c.Outputs);
        Slot x = s.Input("x", c.Rows(0), n, c.Width);
        Slot rows = s.Input("rows", HostTensor.I32(Draw.Integers(c.Seed, 1, c.Outputs, c.N)), m);
        Slot y = s.Output(s.Builder.GatherRows(x, rows));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        Expect.Exact(expected.Reals(y), actual.Reals(y));
    });
}
