using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference;
using KvIL.Inference.Files;
using KvIL.Inference.Templates;

namespace KvIL.Cli;

/// <summary>What a failure says to the person who typed the command, and with which exit code.</summary>
internal static class Failures
{
    /// <summary>One sentence on one line, and an exit code.</summary>
    public static (string Sentence, int Code) Describe(Exception failure) => failure switch
    {
        UsageException or PolicyFormatException => (Sentence(failure.Message), App.Usage),
        ModelFileException or RequestException or TemplateException or InsufficientDeviceMemoryException or DeviceFaultException =>
            (Sentence(failure.Message), App.Failure),
        IOException or UnauthorizedAccessException => (Sentence(failure.Message), App.Failure),
        OutOfMemoryException => ("The machine has no memory left for this; use a smaller budget, prompt or model.", App.Failure),
        _ => (Sentence($"Unexpected {failure.GetType().Name}: {failure.Message}"), App.Failure),
    };

    private static string Sentence(string message)
    {
        string line = Terminal.Visible(message.ReplaceLineEndings(" ").Trim());
        return line.EndsWith('.') || line.EndsWith('?') ? line : line + ".";
    }
}
