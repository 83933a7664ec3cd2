using System.Diagnostics;

namespace KvIL.Tests.Engines;

/// <summary>Parts of tests that need a process of their own: this assembly started as <c>child VERB</c>.</summary>
internal static class Child
{
    /// <summary>Runs inside the child; what it finds goes to the standard output.</summary>
    public static void Run(string verb)
    {
        switch (verb)
        {
            case "widths": WidthChild.Print(); break;
            case "resident": ResidentChild.Print(); break;
            default: throw new ArgumentException($"unknown verb: {verb}", nameof(verb));
        }
    }

    /// <summary>Starts a child and returns the lines that it printed.</summary>
    public static string[] Start(string verb, params (string Name, string Value)[] environment)
    {
        // The dotnet that runs this process, unless that was started by its own launcher.
        string host = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? Environment.ProcessPath! : "dotnet";
        ProcessStartInfo start = new(host, [typeof(Child).Assembly.Location, "child", verb]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            : throw new InvalidOperationException($"child {verb} ended with {process.ExitCode}: {errors.Result}");
    }
}
