using System.CommandLine;
using System.CommandLine.Invocation;
using KvIL.Cli.Commands;

namespace KvIL.Cli;

/// <summary>The tool: parses the command line, runs the command, and turns every failure into one sentence and an exit code.</summary>
internal static class App
{
    public const int Success = 0;
    public const int Failure = 1;
    public const int Usage = 2;

    /// <summary>Runs the tool on the process's own streams and signals.</summary>
    public static int RunProcess(string[] args)
    {
        Terminal terminal = Terminal.OfProcess();
        using Signals signals = new(terminal);
        return Run(args, new(terminal, signals.Token), signals);
    }

    /// <summary>Runs the tool on any streams.</summary>
    /// <returns>The exit code: 0, 1 for a failure, 2 for a command line that means nothing, 128 + n after signal n.</returns>
    public static int Run(string[] args, CommandContext context, Signals? signals = null)
    {
        try
        {
            int code = Invoke(args, context);
            context.Terminal.Out.Flush();
            return code;
        }
        catch (OutputClosedException)
        {
            return Success; // the reader has all it wanted: kvil ... | head -1
        }
        catch (OperationCanceledException) when (context.Cancelled.IsCancellationRequested)
        {
            return signals?.ExitCode ?? Failure;
        }
        catch (Exception e)
        {
            (string sentence, int code) = Failures.Describe(e);
            Report(context.Terminal, sentence);
            if (Environment.GetEnvironmentVariable("KVIL_DEBUG") == "1")
            {
                context.Terminal.Error.WriteLine(e);
            }

            return code;
        }
    }

    private static int Invoke(string[] args, CommandContext context)
    {
        RootCommand root = new("Runs language models with key-value caches held to an exact budget.")
        {
            DemoCommand.Create(context),
            RunCommand.Create(context),
            ExplainCommand.Create(context),
            EvalCommand.Create(context),
            PplCommand.Create(context),
            EvictCommand.Create(context),
            VerifyCommand.Create(context),
            InspectCommand.Create(context),
            TokenizeCommand.Create(context),
            CheckCommand.Create(context),
            SynthCommand.Create(context),
            TemplateCommand.Create(context),
            SharingCommand.Create(context),
            ShareCommand.Create(context),
            GoldenCommand.Create(context),
            DoctorCommand.Create(context),
            KernelsCommand.Create(context),
        };
        HelpText.Install(root);
        ParseResult parse = root.Parse(args, new() { EnablePosixBundling = false, ResponseFileTokenReplacer = null });
        if (parse.Action is ParseErrorAction)
        {
            Report(context.Terminal, Suggestions.Explain(parse));
            return Usage;
        }

        return parse.Invoke(new()
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null, // Signals does that
            Output = context.Terminal.Out,
            Error = context.Terminal.Error,
        });
    }

    private static void Report(Terminal terminal, string sentence)
    {
        terminal.EndLine();
        terminal.Error.WriteLine($"kvil: {sentence}");
    }
}
