using System.Diagnostics;
using System.Globalization;
using KvIL.Cli;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary>What only a process shows: signals, the terminal, and the demo.</summary>
public sealed class ProcessTests : IDisposable
{
    private static readonly string[] LongRun = ["run", Tool.Model, "-p", "Once upon a time", "--max-tokens", "2000"];

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SignalFact]
    public void Ctrl_C_while_decoding_ends_with_130() => Stops("INT", 130, LongRun, afterFirstText: true);

    [SignalFact]
    public void SIGTERM_while_decoding_ends_with_143() => Stops("TERM", 143, LongRun, afterFirstText: true);

    [SignalFact]
    public void Ctrl_C_while_the_prompt_is_read_ends_with_130()
    {
        // One token at a time: far longer than it may take to stop.
        string prompt = _directory.Write("prompt.txt", string.Concat(Enumerable.Repeat("the old king ", 400)));
        Stops("INT", 130, ["run", Tool.Model, "-f", prompt, "--chunk", "1", "--max-tokens", "2000"], afterFirstText: false);
    }

    [SignalFact]
    public void Ctrl_C_while_waiting_for_the_input_ends_with_130() => Stops("INT", 130, ["run", Tool.Model, "-f", "-"], afterFirstText: false);

    [Fact]
    public void Model_text_can_do_nothing_to_a_terminal()
    {
        const string text = "a\u001b[2J\r\u0007\u007f\u009b\tb\n";
        Assert.Equal("a␛[2J␍␇␡\ufffd\tb\n", Terminal.Visible(text));
        Assert.Equal("a␛[2J␍␇␡\ufffd\tb\n", Emitted(text, isTerminal: true));
        Assert.Equal(text, Emitted(text, isTerminal: false));
        Assert.Equal($"[red]x{Environment.NewLine}", Emitted("[red]x", isTerminal: true));
        Assert.Equal("[red]x", Emitted("[red]x", isTerminal: false));
    }

    [Theory]
    [InlineData(40)]
    [InlineData(80)]
    public void Narrow_terminals_lose_nothing(int width)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        Terminal terminal = new() { Out = output, Error = error, OutIsTerminal = true, Width = width };
        Assert.Equal(App.Success, App.Run(["inspect", Tool.Model], new(terminal, CancellationToken.None)));
        string[] words = [.. output.ToString().Split([' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries)];
        Assert.Contains("LlamaForCausalLM,", words);
        Assert.Contains("3,168", words);
        Assert.DoesNotContain(words, word => word.Contains('…', StringComparison.Ordinal));
    }

    [Fact]
    [Trait("Length", "Long")]
    public void The_demo_shows_every_cell_and_reads_its_own_numbers()
    {
        ToolRun run = Tool.Launch("demo");
        Assert.Equal("", run.Error);
        Assert.Equal(App.Success, run.Code);
        foreach (string policy in (ReadOnlySpan<string>)["sliding", "snapkv", "ada-snapkv"])
        {
            foreach (string budget in (ReadOnlySpan<string>)["40%", "20%", "10%", "5%"])
            {
                Assert.Matches($@"(?m)^ +{policy} +{budget} .*(right|wrong) ", run.Out);
            }

            // four cells of right answers and KL
            Assert.Matches($@"(?m)^ +{policy}(:window=16)?( +\d+  \d\.\d+){{4}}$", run.Out);
        }

        Assert.Contains("in 72 of 72 cases", run.Out, StringComparison.Ordinal);
        Assert.Matches(@"The full cache answers \d+ of 32; ", run.Out);
    }

    private static string Emitted(string text, bool isTerminal)
    {
        using StringWriter output = new();
        Terminal terminal = new() { Out = output, Error = TextWriter.Null, OutIsTerminal = isTerminal };
        terminal.Emit(text);
        terminal.EndLine();
        return output.ToString();
    }

    private static void Stops(string signal, int code, string[] args, bool afterFirstText)
    {
        using Process process = Tool.Start(args);
        if (afterFirstText)
        {
            Assert.NotEqual(-1, process.StandardOutput.Read());
        }
        else
        {
            Thread.Sleep(TimeSpan.FromSeconds(1));
        }

        // A pipe that nobody reads would hold the tool up, so read on.
        Task<string> rest = process.StandardOutput.ReadToEndAsync();
        Assert.False(process.HasExited, "It ended before the signal.");
        Stopwatch clock = Stopwatch.StartNew();
        using (Process kill = Process.Start("kill", ["-s", signal, process.Id.ToString(CultureInfo.InvariantCulture)]))
        {
            kill.WaitForExit();
        }

        Assert.Equal(code, Tool.ExitCode(process));
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.Equal("", process.StandardError.ReadToEnd());
        Assert.True(rest.Wait(TimeSpan.FromSeconds(10)));
    }
}

/// <summary>A test that sends signals; skipped where there are none, or where whoever started the tests has them ignored.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SignalFactAttribute : FactAttribute
{
    private const string Status = "/proc/self/status";

    public SignalFactAttribute()
    {
        const long interrupt = 1L << (2 - 1);
        if (OperatingSystem.IsWindows())
        {
            Skip = "Windows has no signals";
        }
        else if (File.Exists(Status) && (Ignored() & interrupt) != 0)
        {
            Skip = "SIGINT is ignored here, and so it is by every process that the tests start";
        }
    }

    private static long Ignored() => long.Parse(
        File.ReadLines(Status).First(line => line.StartsWith("SigIgn:", StringComparison.Ordinal)).Split('\t')[1],
        NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
