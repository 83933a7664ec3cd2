using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="EmbedOp"/>.</summary>
public static class EmbedLaws
{
    public static Law<RowsCase> Copies { get; } = new("Embed_copies_rows_of_the_table_exactly", "EmbedOp", (laws, c) =>
    {
        Scenario s = new("embed");
        Dim n = s.Bind("n", c.N);
        Slot table = s.Input("table", c.Weight(0, c.Outputs, c.Width));
        Slot y = s.Output(s.Builder.Embed(table, s.Input("tokens", c.Indices(1, c.Outputs), n)));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        Expect.Exact(expected.Reals(y), actual.Reals(y));
    });
}
