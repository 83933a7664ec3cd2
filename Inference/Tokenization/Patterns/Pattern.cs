using System.Text;

namespace KvIL.Inference.Tokenization.Patterns;

/// <summary>A regular expression over Unicode characters, for cutting text into words.</summary>
/// <remarks>
/// .NET's own sees a character beyond U+FFFF as two halves that are neither letter nor number, so it cannot do this.
/// Alternatives go in order, as in Perl. A pattern never takes longer than its size times the text's, but for look-ahead
/// of more than one character, which has a limit. Safe for concurrent use.
/// </remarks>
internal sealed class Pattern
{
    private readonly PatternProgram _program;

    private Pattern(string source)
    {
        Source = source;
        _program = PatternProgram.Compile(PatternParser.Parse(source));
    }

    /// <summary>The pattern as written.</summary>
    public string Source { get; }

    /// <summary>Reads a pattern.</summary>
    /// <exception cref="PatternException">It cannot be read, or has a part that KvIL does not match.</exception>
    public static Pattern Parse(string source) => new(source);

    /// <summary>The pattern that matches a text itself.</summary>
    public static string Escape(string text) => string.Concat(text.EnumerateRunes().Select(rune => $"\\x{{{rune.Value:x}}}"));

    /// <summary>The text with each match replaced.</summary>
    public string Replace(string text, string with)
    {
        var replaced = new StringBuilder();
        int done = 0;
        PatternMatcher matcher = Match(text);
        while (matcher.Next(out int start, out int end))
        {
            replaced.Append(text, done, start - done).Append(with);
            done = end;
        }

        return done == 0 && replaced.Length == 0 ? text : replaced.Append(text, done, text.Length - done).ToString();
    }

    /// <summary>Finds matches in a text, which is valid UTF-16.</summary>
    /// <param name="text">The text.</param>
    /// <param name="freeForks">How many choices a character may cost before the matcher remembers those it made.</param>
    public PatternMatcher Match(ReadOnlySpan<char> text, int freeForks = 32) => new(_program, text, freeForks);
}
