namespace KvIL.Inference.Templates;

/// <summary>A chat template cannot be read, cannot be run, or refuses the conversation.</summary>
public sealed class TemplateException : Exception
{
    internal TemplateException(string template, int line, string problem, string? raised = null)
        : base($"{template}, line {line}: {problem}.")
    {
        Line = line;
        RaisedMessage = raised;
    }

    /// <summary>The line of the template, from 1.</summary>
    public int Line { get; }

    /// <summary>What the template passed to <c>raise_exception</c>, exactly; null where the failure is another one.</summary>
    public string? RaisedMessage { get; }
}
