using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="LinearOp"/>.</summary>
public static class LinearLaws
{
    public static Law<RowsCase> Agrees { get; } = new("Linear_agrees_with_the_oracle", "LinearOp; class Reduction", (laws, c) =>
    {
        (Scenario s, Slot y) = Plan(c, value => value);
        (Scenario magnitudes, Slot sum) = Plan(c, value => value.Abs());
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] terms = laws.Oracle.Run(magnitudes).Reals(sum);
        Expect.Within(expected.Reals(y), actual.Reals(y), i => Tolerance.Reduction(c.Width + 1, terms[i]));
    });

    public static Law<RowsCase> BatchEqualsAlone { get; } = new("Linear_of_a_batch_equals_rows_alone", "design, 6", (laws, c) =>
    {
        (Scenario s, Slot y) = Plan(c, value => value);
        (Scenario magnitudes, Slot sum) = Plan(c, value => value.Abs());
        double[] truth = laws.Oracle.Run(s).Reals(y), terms = laws.Oracle.Run(magnitudes).Reals(sum);
        for (int row = 0; row < c.N; row++)
        {
            (Scenario alone, Slot one) = Plan(c, value => value, row);
            int first = row * c.Outputs;
            double[] actual = laws.Subject.Run(alone).Reals(one);
            Expect.Within(truth[first..(first + c.Outputs)], actual, i => Tolerance.Reduction(c.Width + 1, terms[first + i]));
        }
    });

    private static (Scenario, Slot) Plan(RowsCase c, Func<HostTensor, HostTensor> change, int? onlyRow = null)
    {
        Scenario s = new("linear");
        HostTensor rows = onlyRow is int row ? c.Rows(0).Pick(row) : c.Rows(0);
        Dim n = s.Bind("n", rows.Tensor.Shape[0].Max);
        Slot x = s.Input("x", change(rows), n, c.Width);
        Slot weight = s.Input("weight", change(c.Weight(1, c.Outputs, c.Width)));
        Slot? bias = c.Bias ? s.Input("bias", change(c.Weight(2, c.Outputs))) : null;
        return (s, s.Output(s.Builder.Linear(x, weight, bias)));
    }
}
