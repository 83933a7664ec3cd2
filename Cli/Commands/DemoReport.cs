using System.Globalization;
using KvIL.Eviction;
using KvIL.Inference.Evaluation;
using KvIL.Inference.Generation;
using KvIL.Inference.Runtime;
using Spectre.Console;

namespace KvIL.Cli.Commands;

/// <summary>What a policy made of the prompt.</summary>
/// <param name="Policy">The policy.</param>
/// <param name="Text">The answer, to the end of its first sentence.</param>
/// <param name="IsRight">Whether it is the expected one.</param>
/// <param name="Statistics">Bytes, rates and costs.</param>
internal sealed record DemoAnswer(EvictionPolicy Policy, string Text, bool IsRight, GenerationStatistics Statistics);

/// <summary>What <c>kvil demo</c> prints; every sentence is computed from the numbers.</summary>
internal static class DemoReport
{
    public static void WriteQuestion(Terminal terminal, EvaluationItem item, DemoAnswer full, int index)
    {
        string[] lines = item.Prompt.Split('\n');
        string which = full.IsRight
            ? $"It is prompt {index + 1} of needle-grimm.jsonl, the first that the full cache answers rightly."
            : "It is prompt 1 of needle-grimm.jsonl; the full cache answers none of them rightly.";
        terminal.WriteLine($"A fact is hidden in {full.Statistics.PromptTokens} tokens of Grimm's tales. {which}");
        terminal.WriteLine($"  {string.Join(' ', lines[^Math.Min(2, lines.Length)..])}{item.Answer}   <- the right answer");
    }

    public static void WriteAnswers(Terminal terminal, DemoAnswer[] answers)
    {
        Table table = EvalTables.Plain().AddColumn(new TableColumn("policy").NoWrap()).AddColumn(new TableColumn("budget").RightAligned().NoWrap())
            .AddColumn("answer").AddColumn("");
        foreach (string name in (ReadOnlySpan<string>)["KV peak\nKiB", "held\nKiB", "loss\nmean", "bound\nmean", "loss\nmax", "bound\nmax", "tokens\n/s"])
        {
            table.AddColumn(new TableColumn(name).RightAligned().NoWrap());
        }

        foreach (DemoAnswer answer in answers)
        {
            GenerationStatistics s = answer.Statistics;
            IReadOnlyList<EvictionCost> costs = s.Costs;
            string[] figures = costs.Count == 0 ? ["0", "0", "0", "0"]
                : [
                    Figure(costs.Average(c => c.Loss)), Figure(costs.Average(c => c.Epsilon)),
                    Figure(costs.Max(c => c.Loss)), Figure(costs.Max(c => c.Epsilon)),
                ];
            table.AddRow([.. ((string[])[
                answer.Policy.Name, RunSummary.BudgetOf(answer.Policy), answer.Text.Trim(), answer.IsRight ? "right" : "wrong",
                Kib(s.KvPeakBytes), Kib(s.KvHeldBytes), .. figures, s.DecodeRate.ToString("0", CultureInfo.InvariantCulture)])
                .Select(text => new Text(Terminal.Visible(text)))]);
        }

        terminal.Write(table);
        EvictionCost[] all = [.. answers.SelectMany(answer => answer.Statistics.Costs)];
        int held = all.Count(cost => cost.Loss <= cost.Epsilon);
        terminal.WriteLine(
            "loss: L1 distance of a layer's attention output from the full cache's, at the last query of the prompt; bound: Ada-KV's eps; "
            + $"mean and maximum over the layers. The loss is within its bound in {held} of {all.Length} cases.");
        terminal.WriteLine();
    }

    public static void WriteMatrix(Terminal terminal, EvaluationReport report)
    {
        terminal.WriteLine($"Right answers to {report.Results[0].Total} such prompts, and mean KL from the full cache's distribution (nats):");
        terminal.Write(EvalTables.Matrix(report));
        terminal.WriteLine(Reading(report));
    }

    /// <summary>What the matrix shows, in two sentences.</summary>
    internal static string Reading(EvaluationReport report)
    {
        EvaluationResult full = report.Results[0];
        EvaluationResult[] cells = [.. report.Results.Skip(1)];
        string[] budgets = [.. cells.Select(cell => cell.Budget).Distinct()];
        EvaluationResult best = cells.MaxBy(cell => cell.Correct)!;
        IEnumerable<string> winners = budgets.Select(budget =>
        {
            EvaluationResult[] at = [.. cells.Where(cell => cell.Budget == budget)];
            int most = at.Max(cell => cell.Correct);
            return $"{string.Join(" and ", at.Where(cell => cell.Correct == most).Select(Name))} at {budget} ({most} right, "
                + $"{Name(at.MinBy(cell => cell.Correct)!)} {at.Min(cell => cell.Correct)})";
        });
        return $"The full cache answers {full.Correct} of {full.Total}; the most that any policy keeps is {best.Correct}, {Name(best)} at {best.Budget}. "
            + $"Ahead: {string.Join(", ", winners)}.";
    }

    private static string Name(EvaluationResult result) => EvictionPolicy.Parse(result.Policy).Name;

    private static string Figure(double value) => value.ToString(value < 10 ? "0.00" : "0.0", CultureInfo.InvariantCulture);

    private static string Kib(long bytes) => (bytes / 1024.0).ToString("0", CultureInfo.InvariantCulture);
}
