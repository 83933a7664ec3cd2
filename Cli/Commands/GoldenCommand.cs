using System.CommandLine;
using System.Globalization;
using KvIL.Cli.Golden;
using KvIL.Cli.Golden.Lckv;
using Spectre.Console;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil golden</c>: checks KvIL against recorded results of other code.</summary>
internal static class GoldenCommand
{
    /// <summary>All formats; a folder belongs to the first that recognises it.</summary>
    public static IReadOnlyList<IGoldenFormat> Formats { get; } = [new ChatTemplateFormat(), new EvictionFormat(), new LckvFormat(), new PressFormat()];

    public static Command Create(CommandContext context)
    {
        Argument<string> directory = new("DIR") { Description = "Folder with the recorded results; its format is found by what is in it." };
        Option<string[]> only = new("--only")
        {
            HelpName = "FILE/METHOD",
            Description = "Checks only this: a file without its ending, a method as /METHOD, or both; or a case of a set of cases; * stands for any letters; may be given many times. For formats that run models.",
        };
        Option<string[]> model = new("--model")
        {
            HelpName = "[NAME=]MODEL",
            Description = "A model that the results were recorded with, which is otherwise looked for under its name in models beside the folder; may be given many times.",
        };
        Option<int> threads = CommonOptions.Threads();
        Option<bool> json = CommonOptions.Json("Prints one JSON object in place of the table.");
        Command command = new("golden", "Checks KvIL against recorded results of other code.") { directory, only, model, threads, json };
        command.SetAction(parse =>
        {
            string path = parse.GetValue(directory) is { Length: > 0 } named ? named : throw new UsageException("DIR is empty; name a folder with recorded results.");
            GoldenOptions options = new(context.Cancelled)
            {
                Only = parse.GetValue(only) ?? [],
                Models = parse.GetValue(model) ?? [],
                Threads = parse.GetValue(threads),
            };
            GoldenResult report = Check(context.Terminal, path, options);
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

    private static GoldenResult Check(Terminal terminal, string path, GoldenOptions options)
    {
        IGoldenFormat format = Find(path);
        if (format.RunsModels)
        {
            return terminal.Track("checking", progress => format.Run(path, options with { Progress = progress }));
        }

        return options.Only.Count + options.Models.Count == 0 ? terminal.Spin("checking", () => format.Run(path, options))
            : throw new UsageException($"{format.Name} runs no model and is checked whole; leave out --only and --model.");
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

        foreach (string note in report.Notes)
        {
            terminal.WriteLine(note);
        }
    }

    private static Text Number(int value) => new(value.ToString(CultureInfo.InvariantCulture));
}
