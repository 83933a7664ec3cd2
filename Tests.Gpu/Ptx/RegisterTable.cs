using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Xunit;

namespace KvIL.Tests.Gpu.Ptx;

/// <summary>NVIDIA's assembler, where this machine has it.</summary>
internal static partial class Ptxas
{
    /// <summary>Its path: the variable KVIL_PTXAS, or on the PATH; else null.</summary>
    public static string? Find()
    {
        if (Environment.GetEnvironmentVariable("KVIL_PTXAS") is { Length: > 0 } named) return File.Exists(named) ? named : null;
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        return folders.Select(folder => Path.Combine(folder, "ptxas")).FirstOrDefault(File.Exists);
    }

    /// <summary>Its release, such as 11.8.</summary>
    public static string Release(string ptxas) => ReleaseNumber().Match(Run(ptxas, "--version")).Groups[1].Value;

    /// <summary>Registers of a thread, and bytes of its stack frame and of spills together.</summary>
    public static (int Registers, int Spills) Assemble(string ptxas, string path, string architecture)
    {
        string cubin = Path.GetTempFileName();
        try
        {
            string report = Run(ptxas, "-v", $"-arch={architecture}", path, "-o", cubin);
            Match registers = UsedRegisters().Match(report);
            Match frame = StackFrame().Match(report);
            if (!registers.Success || !frame.Success) throw new InvalidDataException($"{path}: {report}");
            return (Number(registers, 1), Number(frame, 1) + Number(frame, 2) + Number(frame, 3));
        }
        finally
        {
            File.Delete(cubin);
        }
    }

    private static int Number(Match match, int group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    private static string Run(string ptxas, params string[] arguments)
    {
        ProcessStartInfo start = new(ptxas, arguments) { RedirectStandardError = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output + error.Result;
    }

    [GeneratedRegex(@"release (\d+\.\d+)")]
    private static partial Regex ReleaseNumber();

    [GeneratedRegex(@"Used (\d+) registers")]
    private static partial Regex UsedRegisters();

    [GeneratedRegex(@"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")]
    private static partial Regex StackFrame();
}

/// <summary>What ptxas makes of the committed texts: <c>Gpu/Ptx/registers.txt</c>.</summary>
/// <param name="Release">The release of ptxas that counted.</param>
/// <param name="Rows">For each text and architecture, registers, and bytes of stack and spills.</param>
internal sealed record RegisterTable(string Release, IReadOnlyList<(string File, string Architecture, int Registers, int Spills)> Rows)
{
    public static string FilePath => Path.Combine(PtxManifest.Folder, "registers.txt");

    public static RegisterTable Measure(string ptxas)
    {
        List<(string, string, int, int)> rows = [];
        foreach (string path in Directory.GetFiles(PtxManifest.Folder, "*.ptx").Order(StringComparer.Ordinal))
        {
            foreach (string architecture in PtxFiles.Architectures.Select(a => $"sm_{a.Major}{a.Minor}"))
            {
                (int registers, int spills) = Ptxas.Assemble(ptxas, path, architecture);
                rows.Add((Path.GetFileName(path), architecture, registers, spills));
            }
        }

        return new(Ptxas.Release(ptxas), rows);
    }

    public override string ToString()
    {
        var text = new StringBuilder($"ptxas {Release}: registers of a thread; bytes of stack and spills\n");
        foreach ((string file, string architecture, int registers, int spills) in Rows)
        {
            text.Append($"{registers,4} {spills,4}  {architecture} {file}\n");
        }

        return text.ToString();
    }
}

/// <summary>A test that runs where ptxas is.</summary>
public sealed class PtxasFactAttribute : FactAttribute
{
    public PtxasFactAttribute() => Skip = Ptxas.Find() is null ? "ptxas is neither on the PATH nor named by KVIL_PTXAS" : null;
}
