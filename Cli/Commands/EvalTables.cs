using System.Globalization;
using KvIL.Inference.Evaluation;
using Spectre.Console;

namespace KvIL.Cli.Commands;

/// <summary>The results of an evaluation as tables.</summary>
internal static class EvalTables
{
    /// <summary>Policies by budgets, then every pair of policies.</summary>
    public static void Write(Terminal terminal, EvaluationReport report)
    {
        terminal.Write(Matrix(report));
        foreach (EvaluationResult result in report.Results.Where(result => result.Short > 0))
        {
            terminal.WriteLine(
                $"{result.Policy} at {result.Budget}: the budget of {result.Short} of {result.Total} prompts was below the window, so their most recent rows were kept.");
        }

        if (report.Pairs.Count > 0)
        {
            terminal.Write(Pairs(report.Pairs));
        }
    }

    /// <summary>Right answers and mean KL, policies by budgets; the full cache is the first row.</summary>
    public static Table Matrix(EvaluationReport report)
    {
        string[] budgets = [.. report.Results.Skip(1).Select(result => result.Budget).Append(report.Results[0].Budget).Distinct()];
        Table table = Plain().AddColumn($"right of {report.Results[0].Total}, KL");
        foreach (string budget in budgets)
        {
            table.AddColumn(new TableColumn(new Text(budget)) { NoWrap = true }.RightAligned());
        }

        foreach (IGrouping<string, EvaluationResult> policy in report.Results.GroupBy(result => result.Policy))
        {
            IEnumerable<string> cells = budgets.Select(budget => policy.FirstOrDefault(result => result.Budget == budget) is { } found ? Cell(found) : "");
            table.AddRow([.. cells.Prepend(PolicyArguments.Shown(policy.Key)).Select(text => new Text(text))]);
        }

        return table;
    }

    /// <summary>A table without lines between cells, which narrow terminals and text files take well.</summary>
    public static Table Plain() => new() { Border = TableBorder.Simple };

    private static string Cell(EvaluationResult result) => $"{result.Correct}  {Number(result.Kl, "0.000")}";

    private static Table Pairs(IReadOnlyList<EvaluationPair> pairs)
    {
        Table table = Plain().AddColumns("a", "b", "budget", "only a right", "only b right", "p (sign test)");
        foreach (TableColumn column in table.Columns.Skip(2))
        {
            column.RightAligned();
        }

        foreach (EvaluationPair pair in pairs)
        {
            table.AddRow(
                new Text(pair.A), new Text(pair.B), new Text(pair.Budget), new Text(Number(pair.OnlyA, "0")), new Text(Number(pair.OnlyB, "0")),
                new Text(pair.P < 0.0005 ? "<0.001" : Number(pair.P, "0.000")));
        }

        return table;
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
