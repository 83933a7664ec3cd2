using System.Globalization;
using System.Text;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace KvIL.Cli;

/// <summary>Where a command reads and writes: results go to the output, everything about them to the error stream.</summary>
internal sealed class Terminal
{
    private const int WidthOfFiles = 160;

    private bool _lineOpen;

    /// <summary>The results.</summary>
    public required TextWriter Out { get; init; }

    /// <summary>Progress, summaries and errors.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>Opens the input.</summary>
    public Func<Stream> OpenInput { get; init; } = () => Stream.Null;

    /// <summary>Whether a person reads the output as it comes.</summary>
    public bool OutIsTerminal { get; init; }

    /// <summary>Whether a person reads the error stream as it comes.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>Columns of the terminal, where there is one.</summary>
    public int Width { get; init; } = WidthOfFiles;

    /// <summary>The process's own streams.</summary>
    public static Terminal OfProcess() => new()
    {
        Out = new StreamWriter(new StandardOutput(), new UTF8Encoding(false), 4096),
        Error = new StreamWriter(Console.OpenStandardError(), new UTF8Encoding(false)) { AutoFlush = true },
        OpenInput = Console.OpenStandardInput,
        OutIsTerminal = !Console.IsOutputRedirected,
        ErrorIsTerminal = !Console.IsErrorRedirected,
        Width = Console.IsOutputRedirected && Console.IsErrorRedirected ? WidthOfFiles : Math.Max(Console.WindowWidth, 20),
    };

    /// <summary>Text with its control characters made visible, but for line breaks and tabs: it can do nothing to a terminal.</summary>
    public static string Visible(string text)
    {
        if (!text.Any(NeedsPicture))
        {
            return text;
        }

        StringBuilder visible = new(text.Length);
        foreach (char c in text)
        {
            visible.Append(!NeedsPicture(c) ? c : c < ' ' ? (char)('\u2400' + c) : c == '\u007f' ? '\u2421' : '\ufffd');
        }

        return visible.ToString();
    }

    /// <summary>A model's text as it comes; shown at once.</summary>
    public void Emit(string text)
    {
        if (text.Length == 0)
        {
            return;
        }

        Out.Write(OutIsTerminal ? Visible(text) : text);
        Out.Flush();
        _lineOpen = text[^1] != '\n';
    }

    /// <summary>Ends the line that <see cref="Emit"/> left open on a terminal; elsewhere the text stays as the model gave it.</summary>
    public void EndLine()
    {
        if (_lineOpen && OutIsTerminal)
        {
            Out.WriteLine();
            Out.Flush();
        }

        _lineOpen = false;
    }

    /// <summary>Writes a table, or a paragraph broken between words; in a file without the blanks that fill its lines.</summary>
    public void Write(IRenderable content)
    {
        using StringWriter rendered = new() { NewLine = "\n" };
        Create(rendered, OutIsTerminal, OutIsTerminal ? Width : WidthOfFiles).Write(content);
        string[] lines = rendered.ToString().TrimEnd('\n').Split('\n');
        foreach (string line in lines)
        {
            Out.WriteLine(OutIsTerminal ? line : line.TrimEnd());
        }

        Out.Flush();
    }

    /// <summary>Writes a paragraph broken between words.</summary>
    public void WriteLine(string text = "") => Write(new Text(Visible(text)));

    /// <summary>Does work of unknown length, with a spinner where somebody watches.</summary>
    public T Spin<T>(string label, Func<T> work)
    {
        if (!ErrorIsTerminal)
        {
            return work();
        }

        return Create(Error, ErrorIsTerminal, Width).Status().Start(label, _ => work());
    }

    /// <summary>Does work that tells the share done, with a progress bar where somebody watches.</summary>
    public T Track<T>(string label, Func<Action<double>, T> work)
    {
        if (!ErrorIsTerminal)
        {
            return work(_ => { });
        }

        return Create(Error, ErrorIsTerminal, Width).Progress().AutoClear(true).HideCompleted(false)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(progress =>
            {
                ProgressTask task = progress.AddTask(Markup.Escape(label), maxValue: 1);
                return work(share => task.Value = share);
            });
    }

    /// <summary>Leaves the terminal usable when the process ends in the middle of a progress bar.</summary>
    public void Restore()
    {
        if (ErrorIsTerminal)
        {
            Error.Write("\u001b[?25h\u001b[0m\n"); // cursor on, colours off
            Error.Flush();
        }
    }

    private static bool NeedsPicture(char c) => char.GetUnicodeCategory(c) == UnicodeCategory.Control && c is not ('\n' or '\t');

    private static IAnsiConsole Create(TextWriter writer, bool isTerminal, int width)
    {
        bool color = isTerminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        bool dumb = Environment.GetEnvironmentVariable("TERM") == "dumb";
        return AnsiConsole.Create(new()
        {
            Ansi = isTerminal && !dumb ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = color && !dumb ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = isTerminal && !dumb ? InteractionSupport.Yes : InteractionSupport.No,
            Out = new Target(writer, isTerminal, width),
        });
    }

    private sealed record Target(TextWriter Writer, bool IsTerminal, int Width) : IAnsiConsoleOutput
    {
        public int Height => 25;

        public void SetEncoding(Encoding encoding)
        {
        }
    }
}
