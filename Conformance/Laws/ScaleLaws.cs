using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="ScaleOp"/>, <see cref="GainOp"/> and <see cref="SoftCapOp"/>.</summary>
public static class ScaleLaws
{
    public static Law<RowsCase> Agrees { get; } = new("Scale_rounds_each_product_once", "ScaleOp; class Rounded(1)", (laws, c) =>
    {
        Scenario s = new("scale");
        Dim n = s.Bind("n", c.N);
        Slot y = s.Output(s.Builder.Scale(s.Input("x", c.Rows(0), n, c.Width), 0.35f));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] truth = expected.Reals(y);
        Expect.Within(truth, actual.Reals(y), i => Tolerance.Rounded(1, truth[i]));
    });

    public static Law<RowsCase> Capped { get; } = new("SoftCap_agrees_with_the_oracle_and_stays_within_the_cap", "SoftCapOp; class Transcendental", (laws, c) =>
    {
        float cap = c.Bias ? 5 : 30;
        Scenario s = new("soft-cap");
        Dim n = s.Bind("n", c.N);
        Slot y = s.Output(s.Builder.SoftCap(s.Input("x", c.Rows(0), n, c.Width), cap));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] truth = expected.Reals(y);
        Expect.Within(truth, actual.Reals(y), i => Tolerance.SoftCap(cap, truth[i]));
        Expect.True(actual.Reals(y).All(value => Math.Abs(value) <= cap), $"a value lies beyond the cap {cap}");
    });

    public static Law<RowsCase> Gains { get; } = new("Gain_rounds_each_product_once", "GainOp; class Rounded(1)", (laws, c) =>
    {
        int width = c.Bias ? 1 : c.Width, groups = c.Outputs;
        HostTensor x = HostTensor.F32(c.Rows(0, c.N * groups * width), c.N, groups * width);
        Scenario s = new("gain");
        Dim n = s.Bind("n", c.N);
        Slot y = s.Output(s.Builder.Gain(s.Input("x", x, n, groups * width), s.Input("weight", c.Weight(1, width))));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] truth = expected.Reals(y);
        Expect.Within(truth, actual.Reals(y), i => Tolerance.Rounded(1, truth[i]));
    });
}
