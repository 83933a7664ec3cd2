using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="RmsNormOp"/> and <see cref="UnitNormOp"/>.</summary>
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

    public static Law<RowsCase> Groups { get; } = new(
        "RmsNorm_of_groups_equals_each_group_alone_with_weights_1_plus_w", "RmsNormOp; class Reduction", (laws, c) =>
        {
            int groups = c.Outputs;
            HostTensor x = HostTensor.F32(c.Rows(0, c.N * groups * c.Width), c.N, groups * c.Width), w = c.Weight(1, c.Width);
            Scenario s = new("head-norm");
            Dim n = s.Bind("n", c.N);
            Slot y = s.Output(s.Builder.RmsNorm(s.Input("x", x, n, groups * c.Width), s.Input("weight", w), epsilon: 1e-5f, weightOffset: 1));
            double[] actual = laws.Subject.Run(s).Reals(y);
            for (int group = 0; group < c.N * groups; group++)
            {
                double[] part = x.Reals[(group * c.Width)..((group + 1) * c.Width)];
                double root = Math.Sqrt(part.Average(value => value * value) + 1e-5f);
                double[] truth = [.. part.Select((value, k) => (1 + w.Reals[k]) * value / root)];
                Expect.Within(truth, actual[(group * c.Width)..((group + 1) * c.Width)], i => Tolerance.RmsNorm(c.Width, truth[i]));
            }
        });

    public static Law<RowsCase> Unit { get; } = new("UnitNorm_agrees_with_the_oracle", "UnitNormOp; class Reduction", (laws, c) =>
    {
        int groups = c.Outputs;
        HostTensor x = HostTensor.F32(c.Rows(0, c.N * groups * c.Width), c.N, groups * c.Width);
        Scenario s = new("unit-norm");
        Dim n = s.Bind("n", c.N);
        Slot y = s.Output(s.Builder.UnitNorm(s.Input("x", x, n, groups * c.Width), c.Width, epsilon: 1e-5f));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] truth = expected.Reals(y);
        Expect.Within(truth, actual.Reals(y), i => Tolerance.RmsNorm(c.Width, truth[i]));
    });
}
