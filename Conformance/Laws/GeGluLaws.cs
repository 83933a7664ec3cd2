using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="GeGluOp"/>.</summary>
public static class GeGluLaws
{
    public static Law<RowsCase> Agrees { get; } = new("GeGlu_agrees_with_the_oracle", "GeGluOp; class Transcendental", (laws, c) =>
    {
        HostTensor gate = c.Rows(0), up = c.Rows(1);
        Scenario s = new("geglu");
        Dim n = s.Bind("n", c.N);
        Slot y = s.Output(s.Builder.GeGlu(s.Input("gate", gate, n, c.Width), s.Input("up", up, n, c.Width)));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] truth = expected.Reals(y);
        Expect.Within(truth, actual.Reals(y), i => Tolerance.GeGlu(gate.Reals[i], up.Reals[i], truth[i]));
    });
}
