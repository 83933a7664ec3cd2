using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="RotationOp"/>.</summary>
public static class RotationLaws
{
    public static Law<RopeCase> Agrees { get; } = new("Rotation_is_exact_to_one_rounding_at_any_position", "RotationOp", (laws, c) =>
    {
        HostTensor positions = c.Positions();
        Scenario s = new("rotation");
        Slot y = s.Output(s.Builder.Rotation(s.Input("positions", positions, s.Bind("n", c.N)), c.Omega, c.Factor));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] truth = expected.Reals(y);
        Expect.Within(truth, actual.Reals(y), i =>
        {
            int row = i / (2 * c.Frequencies), f = i % c.Frequencies;
            return Tolerance.Rotation(positions.Integers[row] * c.Omega[f], truth[i], c.Factor);
        });
    });
}
