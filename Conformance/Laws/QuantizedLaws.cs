using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="LinearOp"/> and <see cref="EmbedOp"/> on quantised weights.</summary>
/// <remarks>Weights are exactly what <see cref="Dequantization"/> says, so the bounds are those of float32 weights.</remarks>
public static class QuantizedLaws
{
    public static Law<QuantizedCase> LinearAgrees { get; } = new("Linear_of_a_quantised_weight_agrees_with_the_oracle", "LinearOp; class Reduction", (laws, c) =>
    {
        (Scenario s, Slot y) = Linear(c, value => value);
        (Scenario magnitudes, Slot sum) = Linear(c, value => value.Abs());
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] terms = laws.Oracle.Run(magnitudes).Reals(sum);
        Expect.Within(expected.Reals(y), actual.Reals(y), i => Tolerance.Reduction(c.Width + 1, terms[i]));
    });

    public static Law<QuantizedCase> EmbedIsExact { get; } = new("Embed_of_a_quantised_table_is_exact", "EmbedOp", (laws, c) =>
    {
        Scenario s = new("embed");
        Dim n = s.Bind("n", c.N);
        Slot table = s.Input("table", c.Weight(1));
        Slot y = s.Output(s.Builder.Embed(table, s.Input("tokens", c.Indices(0), n)));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        Expect.Exact(expected.Reals(y), actual.Reals(y));
    });

    private static (Scenario, Slot) Linear(QuantizedCase c, Func<HostTensor, HostTensor> change)
    {
        Scenario s = new("linear");
        Dim n = s.Bind("n", c.N);
        Slot x = s.Input("x", change(c.Rows(0)), n, c.Width);
        Slot weight = s.Input("weight", change(c.Weight(1)));
        Slot? bias = c.Bias ? s.Input("bias", change(c.BiasValues(2))) : null;
        return (s, s.Output(s.Builder.Linear(x, weight, bias)));
    }
}
