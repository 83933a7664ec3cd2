using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="ReplaceRowsOp"/> and <see cref="RowChangeOp"/>.</summary>
public static class ReplaceRowsLaws
{
    public static Law<StoreCase> Exact { get; } = new(
        "ReplaceRows_writes_the_rows_at_the_positions_and_nothing_else", "ReplaceRowsOp; class Exact", (laws, c) =>
        {
            Scenario s = new("replace");
            (Slot state, Slot[] rows) = Inputs(s, c);
            s.Builder.ReplaceRows(state, rows[0], rows[1], rows[2], rows[3]);
            (PlanResults expected, PlanResults actual) = laws.Run(s);
            Expect.Same("the store", expected.Store(state), actual.Store(state));
        });

    public static Law<StoreCase> AppendedTwice { get; } = new("ReplaceRows_after_an_append_is_the_append_of_the_later_rows", "arXiv:2405.10637, 3.2", (laws, c) =>
    {
        HostStore Run(bool replaces)
        {
            Scenario s = new("append");
            Dim n = s.Bind("n", c.N);
            int width = c.KvHeads * c.HeadDim;
            Slot state = s.Input("store", c.Store());
            Slot first = s.Input("first", c.NewRows(replaces ? 1 : 0), n, width), second = s.Input("second", c.NewRows(1), n, width), third = s.Input("third", c.NewRows(0), n, width);
            Slot positions = s.Input("positions", c.NewPositions(), n), sequences = s.Input("sequences", c.NewSequences(), n);
            Slot next = s.Builder.Append(state, first, second, positions, sequences);
            if (replaces) s.Builder.ReplaceRows(next, third, second, positions, sequences);
            return laws.Subject.Run(s).Store(state);
        }

        Expect.Same("the store", Run(replaces: false), Run(replaces: true));
    });

    public static Law<StoreCase> Change { get; } = new("RowChange_is_the_largest_difference_and_0_once_replaced", "RowChangeOp; class Rounded(1)", (laws, c) =>
    {
        Scenario s = new("change");
        (Slot state, Slot[] rows) = Inputs(s, c);
        Slot before = s.Output(s.Builder.RowChange(state, rows[0], rows[1], rows[2], rows[3]));
        Slot next = s.Builder.ReplaceRows(state, rows[0], rows[1], rows[2], rows[3]);
        Slot after = s.Output(s.Builder.RowChange(next, rows[0], rows[1], rows[2], rows[3]));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] truth = expected.Reals(before);
        Expect.Within(truth, actual.Reals(before), i => Tolerance.Rounded(1, truth[i]));
        Expect.Exact([0], actual.Reals(after));
    });

    // Positions of which some have a row in some heads.
    private static (Slot State, Slot[] Rows) Inputs(Scenario s, StoreCase c)
    {
        Dim n = s.Bind("n", c.N);
        int width = c.KvHeads * c.HeadDim;
        Slot state = s.Input("store", c.Store());
        return (state, [
            s.Input("keys", c.NewRows(0), n, width), s.Input("values", c.NewRows(1), n, width),
            s.Input("positions", c.AnyPositions(), n), s.Input("sequences", c.NewSequences(), n)]);
    }
}
