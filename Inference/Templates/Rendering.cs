using System.Runtime.CompilerServices;

namespace KvIL.Inference.Templates;

/// <summary>One rendering: where it is, and how much more it may do.</summary>
/// <remarks>
/// A template comes with a model that anybody may have made. It can only compute text; steps, produced characters and
/// depth have limits, so that it ends soon and within little memory whatever it says. The limits grow with the
/// conversation: a template may look at each message many times, and may copy all of them once for each message.
/// </remarks>
internal sealed class Rendering
{
    /// <summary>The most characters or items that one value may have.</summary>
    public const int MostLength = 1 << 24;

    private const long Steps = 1 << 19;
    private const long StepsPerMessage = 1 << 15;
    private const long Chars = 1 << 25;
    private const long CopiesPerMessage = 4;
    private const int CharsPerStep = 64;
    private const int MostDepth = 1500;

    private readonly string _template;
    private long _steps;
    private long _chars;
    private int _depth;

    public Rendering(string template, DateTime now, long messages, long chars)
    {
        _template = template;
        Now = now;
        _steps = Steps + (StepsPerMessage * messages) + chars;
        _chars = Chars + (CopiesPerMessage * (messages + 16) * chars);
    }

    /// <summary>The local time that <c>strftime_now</c> shows.</summary>
    public DateTime Now { get; }

    /// <summary>The line that is being rendered.</summary>
    public int Line { get; set; } = 1;

    /// <summary>Counts what takes about a microsecond at most.</summary>
    public void Step(long count = 1)
    {
        if ((_steps -= count) < 0)
        {
            throw Error("the template takes too many steps; it does not seem to end");
        }
    }

    /// <summary>Counts characters that are looked at.</summary>
    public void Read(long chars) => Step(1 + (chars / CharsPerStep));

    /// <summary>Counts characters or items before they are made.</summary>
    public void Make(long count)
    {
        if (count > MostLength || (_chars -= count) < 0)
        {
            throw Error("the template makes more text than is allowed");
        }

        Read(count);
    }

    /// <summary>Goes one level deeper; every call is followed by one of <see cref="Leave"/>, or by the end of the rendering.</summary>
    public void Enter()
    {
        Step();
        if (++_depth > MostDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw Error("calls or values are nested too deeply");
        }
    }

    public void Leave() => _depth--;

    public TemplateException Error(string problem) => new(_template, Line, problem);

    public TemplateException Raised(string message) =>
        new(_template, Line, $"the template refuses these messages: {Files.ModelFileException.Quote(message)}", message);
}
