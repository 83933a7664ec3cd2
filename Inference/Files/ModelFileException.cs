using System.Globalization;
using System.Text;

namespace KvIL.Inference.Files;

/// <summary>A model's file is missing, damaged, or of a kind that KvIL does not read.</summary>
/// <remarks>The message is one sentence for the person who named the file: what was found, where, what to do.</remarks>
public sealed class ModelFileException : IOException
{
    private const int MaxQuotedLength = 80;

    /// <summary>Creates the exception.</summary>
    /// <param name="message">One sentence: what was found, where, what to do.</param>
    /// <param name="innerException">The failure underneath, if there is one.</param>
    public ModelFileException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>Text from a file as it may stand in a message: in quotes, on one line, clipped.</summary>
    internal static string Quote(string text)
    {
        var quoted = new StringBuilder("'");
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (quoted.Length > MaxQuotedLength)
            {
                quoted.Append('…');
                break;
            }

            bool plain = Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
            if (plain && rune.Value is not ('\'' or '\\'))
            {
                quoted.Append(rune.ToString());
            }
            else
            {
                quoted.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}");
            }
        }

        return quoted.Append('\'').ToString();
    }
}
