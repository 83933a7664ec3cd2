using System.CommandLine;
using System.Globalization;
using KvIL.Backends;
using KvIL.Inference.Evaluation;
using KvIL.Inference.Models;
using Spectre.Console;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil check</c>: compares a model's results with those that another implementation recorded beside it.</summary>
internal sealed class CheckCommand
{
    private readonly CommandContext _context;
    private readonly Argument<string> _model = CommonOptions.Model();

    private readonly Option<string?> _reference = new("--reference")
    {
        HelpName = "FILE",
        Description = "The recorded results; reference.safetensors in the model's directory, or X.reference.safetensors beside a file X.",
    };

    private readonly Option<string?> _share = SharingArguments.Share();
    private readonly Option<int> _threads = CommonOptions.Threads();
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<bool> _json = CommonOptions.Json("Prints one JSON object in place of the table.");

    private CheckCommand(CommandContext context) => _context = context;

    public static Command Create(CommandContext context)
    {
        CheckCommand check = new(context);
        Command command = new("check", "Compares a model's logits and cache with recorded ones.")
        {
            check._model, check._reference, check._share, check._threads, check._device, check._json,
        };
        command.SetAction(check.Execute);
        return command;
    }

    private int Execute(ParseResult parse)
    {
        Terminal terminal = _context.Terminal;
        string path = CommonOptions.ReadModel(parse, _model);
        string? reference = parse.GetValue(_reference);
        if (reference is { Length: 0 })
        {
            throw new UsageException("--reference is empty; name a safetensors file.");
        }

        Device device = CommonOptions.ReadDevice(parse, _threads, _device);
        using IBackend backend = device.CreateBackend();
        string? share = SharingArguments.Read(parse, _share);
        using Model model = terminal.Spin("loading", () => Model.Open(path, backend, share, readTokenizer: false));
        SharingArguments.Warn(terminal, model);
        CheckReport report = terminal.Track("checking", progress => ReferenceCheck.Run(model, reference, progress, _context.Cancelled));
        if (parse.GetValue(_json))
        {
            Json.Write(terminal, report);
        }
        else
        {
            WriteTable(terminal, report);
        }

        return report.Passed ? App.Success : App.Failure;
    }

    private static void WriteTable(Terminal terminal, CheckReport report)
    {
        Table table = EvalTables.Plain().AddColumns("sequence", "what", "layer", "numbers", "largest difference", "position", "tolerance", "");
        foreach (TableColumn column in table.Columns.Skip(2).Take(5))
        {
            column.RightAligned();
        }

        foreach (CheckedSequence sequence in report.Sequences)
        {
            string tolerance = N(sequence.Tolerance) + (sequence.StatedTolerance ? "" : " (default)");
            foreach (CheckedQuantity quantity in sequence.Quantities)
            {
                Row(
                    sequence.Name, quantity.Name, quantity.Layer is int layer ? N(layer) : "", N(quantity.Count), N(quantity.Difference),
                    N(quantity.Position), tolerance, quantity.Passed);
            }

            if (sequence.Greedy is { } greedy)
            {
                string count = greedy.Compared == greedy.Recorded ? N(greedy.Recorded) : $"{greedy.Compared} of {greedy.Recorded}";
                Row(sequence.Name, "greedy", "", count, greedy.Passed ? "none" : "another token", N(greedy.Equal + sequence.Tokens), "", greedy.Passed);
            }
        }

        terminal.Write(table);
        int failed = report.Sequences.Count(sequence => !sequence.Passed);
        terminal.WriteLine(report.Passed
            ? $"passed: {report.Sequences.Count} sequences of {report.Reference}"
            : $"FAILED: {failed} of {report.Sequences.Count} sequences of {report.Reference}");

        void Row(string sequence, string what, string layer, string count, string difference, string position, string tolerance, bool passed) =>
            table.AddRow([.. new[] { sequence, what, layer, count, difference, position, tolerance, passed ? "ok" : "FAILED" }
                .Select(cell => new Text(Terminal.Visible(cell)))]);
    }

    private static string N(double value) => value.ToString(value is 0 || Math.Abs(value) >= 1 ? "0.##" : "0.0e+0", CultureInfo.InvariantCulture);
}
