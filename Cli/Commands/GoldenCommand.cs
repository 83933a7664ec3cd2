using System.CommandLine;
using System.Globalization;
using KvIL.Cli.Golden;
using Spectre.Console;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil golden</c>: checks KvIL against recorded results of other code.</summary>
internal static class GoldenCommand
{
    /// <summary>All formats; a folder belongs to the first that recognises it.</summary>
    public static IReadOnlyList<IGoldenFormat> Formats { get; } = [new ChatTemplateFormat(), new EvictionFormat()];

    public static Command Create(CommandContext context)
    {
        Argument<string> directory = new("DIR") { Description = "Folder with the recorded results; its format is found by what is in it." };
        Option<bool> json = CommonOptions.Json("Prints one JSON object in place of the table.");
        Command command = new("golden", "Checks KvIL against recorded results of other code.") { directory, json };
        command.SetAction(parse =>
        {
            string path = parse.GetValue(directory) is { Length: > 0 } named ? named : throw new UsageException("DIR is empty; name a folder with recorded results.");
            IGoldenFormat format = Find(path);
            GoldenResult report = context.Terminal.Spin("checking", () => format.Run(path, context.Cancelled));
            if (parse.GetValue(json))
            {
                Json.Write(context.Terminal, report);
            }
            else
            {
                Write(context.Terminal, report);
            }

            return report.Failed == 0 ? App.Success : App.Failure;
        });
        return command;
    }

    private static IGoldenFormat Find(string path)
    {
        if (!Directory.Exists(path))
        {
            throw new IOException($"{path}: there is no such folder; check the path.");
        }

        return Formats.FirstOrDefault(format => format.Recognises(path)) ?? throw new IOException(
            $"{path}: no format of recorded results is recognised here; known are {string.Join(", ", Formats.Select(format => $"{format.Name} ({format.Sign})"))}.");
    }

    private static void Write(Terminal terminal, GoldenResult report)
    {
        Table table = EvalTables.Plain().AddColumns(report.GroupedBy, "passed", "failed", "not implemented");
        foreach (TableColumn column in table.Columns.Skip(1))
        {
            column.RightAligned();
        }

        foreach (GoldenGroup group in report.Groups.Append(new("all", report.Passed, report.Failed, report.NotImplemented)))
        {
            table.AddRow(new Text(Terminal.Visible(group.Name)), Number(group.Passed), Number(group.Failed), Number(group.NotImplemented));
        }

        terminal.Write(table);
        foreach (GoldenFailure failure in report.Failures)
        {
            terminal.WriteLine($"{failure.Id}: {failure.Difference}");
        }

        if (report.Failed > report.Failures.Count)
        {
            terminal.WriteLine($"and {report.Failed - report.Failures.Count} more");
        }
    }

    private static Text Number(int value) => new(value.ToString(CultureInfo.InvariantCulture));
}
