using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>Text cut into pieces.</summary>
internal static class TextSplitting
{
    /// <summary>split(sep=None, maxsplit=-1): at each separator, keeping empty pieces; at white space, without empty ones.</summary>
    public static ListValue Split(Rendering run, string name, JinjaValue subject, Arguments arguments, bool fromEnd)
    {
        JinjaValue?[] given = arguments.Bind(run, name, 0, "sep", "maxsplit");
        TextValue text = (TextValue)subject;
        string? separator = Parameters.OptionalText(run, given[0]);
        int most = Parameters.Int(run, given[1], -1);
        most = most < 0 ? int.MaxValue : most;
        run.Make(2L * text.Value.Length);
        if (separator is { Length: 0 })
        {
            throw run.Error("the separator is empty");
        }

        List<string> pieces = (separator, fromEnd) switch
        {
            (null, false) => AtBlanks(text.Value, most),
            (null, true) => AtBlanksFromEnd(text.Value, most),
            (_, false) => At(text.Value, separator, most),
            _ => AtFromEnd(text.Value, separator, most),
        };
        return new([.. pieces.Select(text.With)]);
    }

    /// <summary>What is before the separator, the separator, and what is after it.</summary>
    public static ListValue Partition(Rendering run, string name, JinjaValue subject, Arguments arguments, bool fromEnd)
    {
        TextValue text = (TextValue)subject;
        string separator = Parameters.Text(run, arguments.Bind(run, name, 1, "sep")[0]!);
        if (separator.Length == 0)
        {
            throw run.Error("the separator is empty");
        }

        run.Make(text.Value.Length);
        int at = fromEnd ? text.Value.LastIndexOf(separator, StringComparison.Ordinal) : text.Value.IndexOf(separator, StringComparison.Ordinal);
        string[] parts = at >= 0 ? [text.Value[..at], separator, text.Value[(at + separator.Length)..]]
            : fromEnd ? ["", "", text.Value] : [text.Value, "", ""];
        return new([.. parts.Select(text.With)], isTuple: true);
    }

    private static List<string> At(string text, string separator, int most)
    {
        List<string> pieces = [];
        int from = 0;
        for (int at = text.IndexOf(separator, StringComparison.Ordinal); at >= 0 && most > 0; most--)
        {
            pieces.Add(text[from..at]);
            from = at + separator.Length;
            at = text.IndexOf(separator, from, StringComparison.Ordinal);
        }

        pieces.Add(text[from..]);
        return pieces;
    }

    private static List<string> AtFromEnd(string text, string separator, int most)
    {
        List<string> pieces = [];
        int to = text.Length;
        while (most-- > 0 && text.AsSpan(0, to).LastIndexOf(separator) is >= 0 and int at)
        {
            pieces.Add(text[(at + separator.Length)..to]);
            to = at;
        }

        pieces.Add(text[..to]);
        pieces.Reverse();
        return pieces;
    }

    private static List<string> AtBlanks(string text, int most)
    {
        List<string> pieces = [];
        int at = Whitespace.CountStart(text);
        while (at < text.Length)
        {
            if (pieces.Count == most)
            {
                pieces.Add(text[at..]);
                break;
            }

            int end = at;
            while (end < text.Length && !Whitespace.Is(text[end]))
            {
                end++;
            }

            pieces.Add(text[at..end]);
            at = end + Whitespace.CountStart(text.AsSpan(end));
        }

        return pieces;
    }

    private static List<string> AtBlanksFromEnd(string text, int most)
    {
        List<string> pieces = [];
        string rest = Whitespace.TrimEnd(text);
        int to = rest.Length;
        while (to > 0)
        {
            int start = to;
            while (start > 0 && !Whitespace.Is(rest[start - 1]))
            {
                start--;
            }

            if (pieces.Count == most)
            {
                pieces.Add(rest[..to]);
                break;
            }

            pieces.Add(rest[start..to]);
            to = start;
            while (to > 0 && Whitespace.Is(rest[to - 1]))
            {
                to--;
            }
        }

        pieces.Reverse();
        return pieces;
    }
}
