using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="RmsNormOp"/>.</summary>
public static class RmsNormLaws
{
    public static Law<RowsCase> Agrees { get; } = new("RmsNorm_agrees_with_the_oracle", "RmsNormOp; class Reduction", (laws, c) =>
    {
        Scenario s = new("rms-norm");
        Dim n = s.Bind("n", c.N);
        Slot x = s.Input("x", c.Rows(0), n, c.Width);
        Slot y = s.Output(s.Builder.RmsNorm(x, s.Input("weight", c.Weight(1, c.Width)), epsilon: 1e-5f));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] truth = expected.Reals(y);
        Expect.Within(truth, actual.Reals(y), i => Tolerance.RmsNorm(c.Width, truth[i]));
    });
}
