using System.Diagnostics;

namespace KvIL.Tests.Runner;

/// <summary>Runs another test assembly in a process of its own, and relays its output.</summary>
internal sealed class ChildRun(string path)
{
    private volatile Process? _process;

    public string Name => Path.GetFileNameWithoutExtension(path);

    public bool IsRunning => _process is not null;

    /// <summary>The child's counts. A child that crashed or did not count is one failure.</summary>
    public Counts Run(Arguments arguments)
    {
        // The dotnet that runs this process, unless that was started by its own launcher.
        string? host = Environment.ProcessPath;
        if (Path.GetFileNameWithoutExtension(host) != "dotnet")
            host = "dotnet";
        ProcessStartInfo start = new(host!, [Path.GetFullPath(path), .. arguments.ForChild()])
        {
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        _process = process;
        string? last = Relay(process.StandardOutput, Console.Out);
        process.WaitForExit();
        _process = null;
        Counts counts = Read(last, process.ExitCode, out string? failure);
        Console.WriteLine(failure is null ? $"{Name}: {counts}" : $"failed: {Name}: {failure}");
        return counts;
    }

    public void Kill()
    {
        try
        {
            _process?.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    /// <summary>Copies all lines, except a closing line at the end; returns the last line.</summary>
    internal static string? Relay(TextReader from, TextWriter to)
    {
        string? last = null;
        while (from.ReadLine() is string line)
        {
            if (last is not null)
                to.WriteLine(last);
            last = line;
        }
        if (last is not null && Counts.Parse(last) is null)
            to.WriteLine(last);
        return last;
    }

    /// <summary>What the last line and the exit code of a child amount to.</summary>
    internal static Counts Read(string? lastLine, int exitCode, out string? failure)
    {
        Counts? counts = Counts.Parse(lastLine);
        bool agree = counts is { } c && exitCode == (c.Failed == 0 ? 0 : 1);
        failure = agree ? null
            : counts is null ? $"ended with exit code {exitCode} before it counted its tests"
            : $"ended with exit code {exitCode} after '{lastLine}'";
        return (counts ?? default) + new Counts(0, agree ? 0 : 1, 0);
    }
}
