using System.Text.RegularExpressions;
using KvIL.Inference.Files;
using Xunit;

namespace KvIL.Tests.Files;

/// <summary>What every refusal of a bad file has in common.</summary>
internal static partial class Refusal
{
    /// <summary>The action refuses in one sentence that matches the pattern and names the path.</summary>
    public static void Is(string pattern, string path, Action action)
    {
        var refusal = Assert.Throws<ModelFileException>(action);
        Assert.Contains(path, refusal.Message, StringComparison.Ordinal);
        Assert.Matches(pattern, refusal.Message);
        IsOneSentence(refusal.Message);
    }

    /// <summary>One line, one full stop at the end, short enough to read; quoted text of the file does not count.</summary>
    public static void IsOneSentence(string message)
    {
        string own = Quoted().Replace(message, "''");
        Assert.EndsWith(".", own, StringComparison.Ordinal);
        Assert.DoesNotContain(". ", own, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        Assert.DoesNotContain('\r', message);
        Assert.DoesNotContain("   at ", own, StringComparison.Ordinal);
        Assert.InRange(message.Length, 20, 700);
    }

    [GeneratedRegex("'[^']*'")]
    private static partial Regex Quoted();
}
