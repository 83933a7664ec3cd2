using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="AddOp"/>.</summary>
public static class AddLaws
{
    public static Law<RowsCase> Agrees { get; } = new("Add_rounds_each_sum_once", "AddOp; class Rounded(1)", (laws, c) =>
    {
        Scenario s = new("add");
        Dim n = s.Bind("n", c.N);
        Slot y = s.Output(s.Builder.Add(s.Input("a", c.Rows(0), n, c.Width), s.Input("b", c.Rows(1), n, c.Width)));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] truth = expected.Reals(y);
        Expect.Within(truth, actual.Reals(y), i => Tolerance.Rounded(1, truth[i]));
    });
}
