using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="RopeOp"/>.</summary>
public static class RopeLaws
{
    public static Law<RopeCase> Agrees { get; } = new("Rope_agrees_with_the_oracle", "RopeOp; class Affine", (laws, c) =>
    {
        HostTensor x = c.X(), rotation = c.Rotation();
        (Scenario s, Slot y) = Plan(c, x, rotation);
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        int half = c.Frequencies;
        Expect.Within(expected.Reals(y), actual.Reals(y), i =>
        {
            int channel = i % c.HeadDim, row = i / (c.Heads * c.HeadDim) * 2 * half;
            if (channel >= 2 * half) return 0;
            int pair = channel % half, head = i - channel, f = row + pair;
            double a = x.Reals[head + (c.Interleaved ? 2 * pair : pair)], b = x.Reals[head + (c.Interleaved ? (2 * pair) + 1 : pair + half)];
            double cosine = rotation.Reals[f], sine = rotation.Reals[f + half];
            return Tolerance.Rope(channel < half ? Math.Abs(a * cosine) + Math.Abs(b * sine) : Math.Abs(b * cosine) + Math.Abs(a * sine));
        });
    });

    private static (Scenario, Slot) Plan(RopeCase c, HostTensor x, HostTensor rotation)
    {
        Scenario s = new("rope");
        Dim n = s.Bind("n", c.N);
        Slot turned = s.Builder.Rope(
            s.Input("x", x, n, c.Heads * c.HeadDim), s.Input("rotation", rotation, n, 2 * c.Frequencies), c.HeadDim, c.Interleaved);
        return (s, s.Output(turned));
    }
}
