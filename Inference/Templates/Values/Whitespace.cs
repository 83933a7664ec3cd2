namespace KvIL.Inference.Templates.Values;

/// <summary>What Python calls white space: what .NET does, and four control characters more.</summary>
internal static class Whitespace
{
    public static bool Is(char c) => char.IsWhiteSpace(c) || c is >= '\u001c' and <= '\u001f';

    public static bool IsAll(ReadOnlySpan<char> text) => text.Length > 0 && CountStart(text) == text.Length;

    /// <summary>How many characters of white space the text starts with.</summary>
    public static int CountStart(ReadOnlySpan<char> text)
    {
        int count = 0;
        while (count < text.Length && Is(text[count]))
        {
            count++;
        }

        return count;
    }

    public static string Trim(string text) => TrimEnd(text[CountStart(text)..]);

    public static string TrimEnd(string text)
    {
        int length = text.Length;
        while (length > 0 && Is(text[length - 1]))
        {
            length--;
        }

        return text[..length];
    }
}
