using System.Globalization;
using Spectre.Console;

namespace KvIL.Cli.Commands;

/// <summary>A diagnosis for people.</summary>
internal static class DiagnosisText
{
    public static void Write(Terminal terminal, Diagnosis d)
    {
        string sets = d.Cpu.InstructionSets.Count == 0 ? "no vector instructions" : string.Join(", ", d.Cpu.InstructionSets);
        terminal.WriteLine($"The CPU engine uses {sets}: vectors of {d.Cpu.LaneBits} bits, of {d.Cpu.TileBits} in its product.");
        terminal.WriteLine();
        terminal.Write(Devices(d));
        Notes(terminal, d.Devices.Where(device => !device.Ok).Select(device => $"{device.Name}: {device.Problem}"));
        Notes(terminal, d.Broken);
        Notes(terminal, d.Absent);
        terminal.WriteLine();
        terminal.WriteLine("Each device made one small eviction decision and one product; decisions were compared exactly,");
        terminal.WriteLine("numbers with double precision within the bounds of their arithmetic.");
    }

    private static Table Devices(Diagnosis d)
    {
        Table table = EvalTables.Plain();
        foreach (string column in (ReadOnlySpan<string>)["device", "is", "through"])
        {
            table.AddColumn(column);
        }

        foreach (string column in (ReadOnlySpan<string>)["memory", "compile", "run"])
        {
            table.AddColumn(new TableColumn(column).RightAligned().NoWrap());
        }

        table.AddColumn("check");
        foreach (DeviceDiagnosis device in d.Devices)
        {
            string[] cells =
            [
                device.Name,
                device.Hardware,
                device.Driver,
                device.MemoryBytes is long bytes ? ByteSize.Show(bytes) : "",
                Milliseconds(device.CompileSeconds),
                Milliseconds(device.RunSeconds),
                device.Ok ? "ok" : "wrong",
            ];
            table.AddRow([.. cells.Select(cell => new Text(Terminal.Visible(cell)))]);
        }

        return table;
    }

    private static void Notes(Terminal terminal, IEnumerable<string> sentences)
    {
        foreach (string sentence in sentences)
        {
            terminal.WriteLine(sentence);
        }
    }

    private static string Milliseconds(double? seconds) =>
        seconds is double value ? string.Create(CultureInfo.InvariantCulture, $"{value * 1000:0.0} ms") : "";
}
