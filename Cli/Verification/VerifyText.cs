using System.Globalization;
using KvIL.Cli.Commands;
using KvIL.Conformance.Statements;
using KvIL.Conformance.Theory;
using Spectre.Console;

namespace KvIL.Cli.Verification;

/// <summary>The results of <c>kvil verify</c> as tables.</summary>
internal static class VerifyText
{
    public static void WriteLaws(Terminal terminal, IReadOnlyList<DeviceLaws> devices, IReadOnlyList<string> leftOut, int cases)
    {
        terminal.WriteLine($"Laws of the operations, against double precision: {cases} random cases of each on each device; violations by device.");
        Table table = EvalTables.Plain().AddColumns("law", "source");
        foreach (DeviceLaws device in devices) table.AddColumn(new TableColumn(new Text(device.Device)).RightAligned().NoWrap());
        DeviceLaws? longest = devices.MaxBy(device => device.Results.Count);
        for (int i = 0; i < (longest?.Results.Count ?? 0); i++)
        {
            StatementResult law = longest!.Results[i];
            string[] counts = [.. devices.Select(device => i < device.Results.Count ? N(device.Results[i].Violations) : "not run")];
            Row(table, [Sentence(law.Name), law.Source, .. counts]);
        }

        terminal.Write(table);
        foreach (DeviceLaws device in devices)
        {
            if (device.Problem is not null) terminal.WriteLine($"{device.Device} FAILED: {device.Problem}");
            foreach (StatementResult law in device.Results) WriteViolation(terminal, law);
        }

        foreach (string sentence in leftOut) terminal.WriteLine(sentence);
        terminal.WriteLine();
    }

    public static void WriteTheorems(Terminal terminal, IReadOnlyList<StatementResult> theorems, AdaAgainstUniform ada, int cases)
    {
        terminal.WriteLine($"Theorems in double, {cases} random cases of each; a case has at most 16 rows, so that every set of rows to keep can be tried.");
        Table table = EvalTables.Plain().AddColumns("theorem", "source", "cases", "violations");
        foreach (TableColumn column in table.Columns.Skip(2)) column.RightAligned().NoWrap();
        foreach (StatementResult theorem in theorems)
        {
            Row(table, Sentence(theorem.Name), theorem.Source, N(theorem.Cases), N(theorem.Violations));
        }

        terminal.Write(table);
        foreach (StatementResult theorem in theorems) WriteViolation(terminal, theorem);
        terminal.WriteLine(
            $"Ada's eps is below uniform's in {ada.BoundLower} of {ada.Cases} cases, by {Percent(ada.MeanGain)} on average and {Percent(ada.LargestGain)} at most, "
            + $"and equal in {ada.BoundEqual}.");
        string excess = ada.LossHigher == 0 ? "" : $" (by {Percent(ada.MedianExcess)} in the median, first at seed {ada.FirstHigher})";
        terminal.WriteLine(
            $"Its true loss L, of which no theorem speaks, is lower in {ada.LossLower}, equal in {ada.LossEqual} and higher in {ada.LossHigher}{excess}.");
        terminal.WriteLine();
    }

    public static void WriteModel(Terminal terminal, ModelReport model)
    {
        terminal.WriteLine(
            $"Real attention: {model.Model} on {model.Device}, {model.Tokens} tokens ({model.Prompt}), {model.QueryHeads} query and {model.KvHeads} KV heads; "
            + $"{model.Budget} = {model.RowsPerHead} rows a head. At the last query, in double, of the rows that the device kept:");
        foreach (SettingReport setting in model.Settings)
        {
            terminal.WriteLine();
            terminal.WriteLine($"window {setting.Window}, kernel {setting.Kernel}: {setting.Promise}");
            terminal.Write(Layers(setting));
        }

        foreach (string violation in model.Violations) terminal.WriteLine($"VIOLATED: {violation}");
        terminal.WriteLine(
            "C: largest L1 norm of a row of V W^O. to uniform: eps of the window over uniform's. float32: largest relative difference of the four figures that the device "
            + "computed from the same in double.");
        terminal.WriteLine();
    }

    public static void WriteVerdict(Terminal terminal, VerifyReport report)
    {
        long laws = report.Laws.Sum(device => device.Results.Sum(law => (long)law.Violations));
        int theorems = report.Theorems.Sum(theorem => theorem.Violations);
        terminal.WriteLine(
            $"{(report.Ok ? "Nothing is violated" : "VIOLATED")}: laws {laws}, theorems {theorems}, model {report.Model.Violations.Count} violations. "
            + $"The same cases again: --seed {report.Seed} --cases {report.Cases}.");
    }

    private static Table Layers(SettingReport setting)
    {
        Table table = EvalTables.Plain().AddColumns("layer", "C", "split", "L", "theta", "eps_head", "eps", "eps of window", "to uniform", "float32", "rows of each KV head");
        foreach (TableColumn column in table.Columns.Where((_, i) => i is not (2 or 10))) column.RightAligned();
        foreach (TableColumn column in table.Columns) column.NoWrap();
        foreach (LayerReport layer in setting.Layers)
        {
            foreach ((int i, SplitReport split) in layer.Splits.Index())
            {
                LossChain chain = split.Exact;
                double uniform = layer.Splits[0].WindowEpsilon;
                Row(
                    table, i == 0 ? N(layer.Layer) : "", i == 0 ? F(layer.C) : "", split.Split, F(chain.L), F(chain.Theta), F(chain.EpsilonHead), F(chain.Epsilon),
                    F(split.WindowEpsilon), uniform == 0 ? "" : (split.WindowEpsilon / uniform).ToString("0.0000", CultureInfo.InvariantCulture),
                    split.LargestError.ToString("0e+0", CultureInfo.InvariantCulture), string.Join(' ', split.KeptOfHead));
            }
        }

        return table;
    }

    private static void WriteViolation(Terminal terminal, StatementResult result)
    {
        if (result.First is not { } first) return;
        terminal.WriteLine($"VIOLATED in {result.Violations} of {result.Cases} cases: {Sentence(result.Name)}");
        terminal.WriteLine($"  first with --seed {first.Seed} --cases 1: {first.Case}");
        terminal.WriteLine($"  made smaller: {first.Shrunk}");
        terminal.WriteLine($"  there: {first.Difference}");
    }

    // Laws are named like methods.
    private static string Sentence(string name) => name.Contains(' ', StringComparison.Ordinal) ? name : name.Replace('_', ' ');

    private static void Row(Table table, params string[] cells) => table.AddRow([.. cells.Select(cell => new Text(Terminal.Visible(cell)))]);

    private static string Percent(double share) => share.ToString("0.0 %", CultureInfo.InvariantCulture);

    private static string F(double value) => value.ToString("G5", CultureInfo.InvariantCulture);

    private static string N(int value) => value.ToString(CultureInfo.InvariantCulture);
}
