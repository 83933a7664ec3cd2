using System.Diagnostics;
using System.Text;
using KvIL.Cli;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary>What one run of the tool gave.</summary>
internal sealed record ToolRun(int Code, string Out, string Error);

/// <summary>Runs the tool: in this process, which is quick, or as a process of its own, which is what a user has.</summary>
internal static class Tool
{
    public const string Set = "models/kvil-demo/needle-grimm.jsonl";

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    public static string Model { get; } = Repo.PathOf("models/kvil-demo");

    /// <summary>In this process, without a terminal.</summary>
    public static ToolRun Run(params string[] args) => Run("", args);

    /// <summary>In this process, with an input.</summary>
    public static ToolRun Run(string input, string[] args)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        Terminal terminal = new() { Out = output, Error = error, OpenInput = () => new MemoryStream(Encoding.UTF8.GetBytes(input)) };
        int code = App.Run(args, new(terminal, CancellationToken.None));
        return new(code, output.ToString(), error.ToString());
    }

    /// <summary>In this process; it must succeed.</summary>
    public static string Output(params string[] args)
    {
        ToolRun run = Run(args);
        Assert.True(run.Code == 0, run.Error);
        return run.Out;
    }

    /// <summary>As a process, to its end.</summary>
    public static ToolRun Launch(params string[] args)
    {
        using Process process = Start(args);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        return new(ExitCode(process), output.Result, error.Result);
    }

    /// <summary>As a process that is running.</summary>
    public static Process Start(params string[] args)
    {
        ProcessStartInfo start = new("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "KvIL.Cli.dll"));
        Array.ForEach(args, start.ArgumentList.Add);
        return Process.Start(start)!;
    }

    /// <summary>Waits for the end; a process that does not end is killed, and the test fails.</summary>
    public static int ExitCode(Process process)
    {
        if (process.WaitForExit(Limit))
        {
            return process.ExitCode;
        }

        process.Kill();
        throw new TimeoutException($"The tool still ran after {Limit}.");
    }

    /// <summary>It prints no result, one sentence on the error stream, and gives that exit code.</summary>
    public static void Refuses(int code, string pattern, params string[] args) => AssertRefusal(code, pattern, Run(args));

    public static void AssertRefusal(int code, string pattern, ToolRun run)
    {
        Assert.Matches(pattern, run.Error);
        Assert.Equal(code, run.Code);
        Assert.Equal("", run.Out);
        Assert.StartsWith("kvil: ", run.Error, StringComparison.Ordinal);
        string sentence = run.Error["kvil: ".Length..];
        Assert.EndsWith(Environment.NewLine, sentence, StringComparison.Ordinal);
        sentence = sentence.TrimEnd();
        Refusal.IsOneSentence(sentence.EndsWith('?') ? sentence[..^1] + "." : sentence);
    }
}
