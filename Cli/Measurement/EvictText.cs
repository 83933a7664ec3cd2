using System.Globalization;
using KvIL.Cli.Commands;
using KvIL.Eviction;
using Spectre.Console;

namespace KvIL.Cli.Measurement;

/// <summary>The result of <c>kvil evict</c> as text and tables.</summary>
internal static class EvictText
{
    public static void Write(Terminal terminal, EvictReport report)
    {
        InputShape shape = report.Shape;
        string heads = shape.QueryHeads is int h ? $"{h} query and {shape.KvHeads} KV heads of {shape.HeadDim}" : $"scores of {shape.KvHeads} heads";
        string width = shape.Width is int d ? $", width {d}" : "";
        string input = report.Input.Length == 0 ? "" : $", input {report.Input}";
        terminal.WriteLine($"policy   {PolicyArguments.Shown(report.Policy)}");
        terminal.WriteLine($"file     {report.File}{input}: {heads}, {shape.Tokens} tokens{width}");
        RowBudget budget = report.Budget;
        terminal.WriteLine(
            $"budget   {budget.Text} = {budget.RowsPerHead} rows a head, {budget.Total} of {shape.Tokens * shape.KvHeads}; "
            + $"{budget.ProtectedPerHead} of each head are always kept, {budget.Divided} are divided");
        if (report.Scores.Count > 0)
        {
            terminal.WriteLine(
                $"scores   {report.Scores.Nan} are NaN, which rank as minus infinity, {report.Scores.PositiveInfinite} plus and "
                + $"{report.Scores.NegativeInfinite} minus infinity");
        }

        if (!report.DecisionIsDefined)
        {
            terminal.WriteLine("WRONG    the rows are not those that the scores decide by definition");
        }

        terminal.Write(Heads(report));
        WriteCosts(terminal, report);
    }

    /// <summary>Ascending numbers with runs written as ranges, such as <c>0-3,17</c>.</summary>
    public static string Ranges(IReadOnlyList<int> rows)
    {
        List<string> parts = [];
        for (int i = 0; i < rows.Count;)
        {
            int first = i;
            while (++i < rows.Count && rows[i] == rows[i - 1] + 1)
            {
            }

            parts.Add(i - first == 1 ? N(rows[first]) : $"{N(rows[first])}-{N(rows[i - 1])}");
        }

        return parts.Count == 0 ? "none" : string.Join(',', parts);
    }

    private static Table Heads(EvictReport report)
    {
        Table table = EvalTables.Plain().AddColumn("head").AddColumn("before rounding").AddColumn("after").AddColumn("with protected");
        foreach (TableColumn column in table.Columns) column.RightAligned().NoWrap();
        if (report.Uniform is not null) table.AddColumn(new TableColumn("uniform").RightAligned().NoWrap());
        table.AddColumn("rows kept");
        foreach (HeadAllotment head in report.Allocation.Heads)
        {
            string quota = head.Quota.Contains('/') ? $"{head.Quota} = {head.QuotaValue.ToString("0.####", CultureInfo.InvariantCulture)}" : head.Quota;
            string[] uniform = report.Uniform is { } other ? [N(other.Heads[head.Head].Kept)] : [];
            string[] cells = [N(head.Head), quota, N(head.Budget), N(head.Kept), .. uniform, Ranges(head.Rows).Replace(",", ", ", StringComparison.Ordinal)];
            table.AddRow([.. cells.Select(cell => new Text(cell))]);
        }

        return table;
    }

    private static void WriteCosts(Terminal terminal, EvictReport report)
    {
        if (report.Allocation.Cost is not { } cost)
        {
            terminal.WriteLine(report.Shape.QueryHeads is null ? "Scores alone have no loss." : "The loss needs v, wo and a query, q or qd, which the file does not have.");
            return;
        }

        terminal.WriteLine($"At {(report.Query == "qd" ? "the decode query qd" : "the last query of the prompt")}, in double:");
        Table table = EvalTables.Plain().AddColumns("split", "L", "", "theta", "", "eps_head", "", "eps", "C", "mass F by query head");
        foreach (TableColumn column in table.Columns.Skip(1).Take(8)) column.RightAligned().NoWrap();
        Row(report.Allocation.Rule, cost);
        if (report.Uniform is { Cost: { } uniform } other) Row(other.Rule, uniform);
        terminal.Write(table);
        if (cost.ChainHolds && report.Uniform?.Cost is not { ChainHolds: false }) return;
        terminal.WriteLine("VIOLATED: L <= theta <= eps_head <= eps does not hold.");

        void Row(HeadAllocation rule, LayerCost c) => table.AddRow([.. ((string[])[
            rule.ToString().ToLowerInvariant(), F(c.L), "<=", F(c.Theta), "<=", F(c.EpsilonHead), "<=", F(c.Epsilon), F(c.C),
            string.Join(' ', c.RetainedMass.Select(mass => mass.ToString("0.0000", CultureInfo.InvariantCulture)))]).Select(cell => new Text(cell))]);
    }

    private static string F(double value) => value.ToString("G6", CultureInfo.InvariantCulture);

    private static string N(int value) => value.ToString(CultureInfo.InvariantCulture);
}
