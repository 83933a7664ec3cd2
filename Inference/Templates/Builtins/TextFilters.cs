using System.Text;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>Filters that give text.</summary>
internal static class TextFilters
{
    public static IReadOnlyDictionary<string, Builtin> All { get; } = new Dictionary<string, Builtin>
    {
        ["capitalize"] = Mapped("capitalize", Casing.Capitalize),
        ["center"] = Center,
        ["e"] = Escape,
        ["escape"] = Escape,
        ["forceescape"] = (run, input, arguments) => new TextValue(Html.Escape(run, Only(run, "forceescape", input, arguments)), safe: true),
        ["format"] = Format,
        ["indent"] = Indent,
        ["join"] = Join,
        ["lower"] = Mapped("lower", Casing.Lower),
        ["replace"] = Replace,
        ["safe"] = (run, input, arguments) => new TextValue(Only(run, "safe", input, arguments), safe: true),
        ["string"] = (run, input, arguments) => Parameters.Made(run, input, Only(run, "string", input, arguments)),
        ["title"] = Mapped("title", TitleOfWords),
        ["trim"] = Trim,
        ["truncate"] = Truncate,
        ["upper"] = Mapped("upper", Casing.Upper),
        ["urlencode"] = Mapped("urlencode", UrlEncode),
        ["tojson"] = ToJson,
    };

    private static Builtin Mapped(string name, Func<string, string> map) =>
        (run, input, arguments) => Parameters.Made(run, input, map(Only(run, name, input, arguments)));

    private static string Only(Rendering run, string name, JinjaValue input, Arguments arguments)
    {
        arguments.Bind(run, name, 0);
        return Printer.Str(run, input);
    }

    private static TextValue Escape(Rendering run, JinjaValue input, Arguments arguments) => input is TextValue { IsSafe: true } safe
        ? safe
        : new(Html.Escape(run, Only(run, "escape", input, arguments)), safe: true);

    private static JinjaValue Center(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue width = arguments.Bind(run, "center", 0, "width")[0] ?? new IntegerValue(80);
        return TextMethods.All["center"](run, new TextValue(Printer.Str(run, input)), new([width], []));
    }

    private static TextValue Format(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue values = new ListValue(arguments.Positional, isTuple: true);
        if (arguments.Named.Count > 0)
        {
            DictValue dict = new();
            foreach ((string name, JinjaValue value) in arguments.Named)
            {
                dict.Set(name, value);
            }

            values = arguments.Positional.Count == 0 ? dict : throw run.Error("'format' takes values with names or without, not both");
        }

        return new(PercentFormat.Apply(run, Printer.Str(run, input), values));
    }

    private static TextValue Indent(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "indent", 0, "width", "first", "blank");
        string text = Parameters.Text(run, input);
        int width = given[0] is TextValue ? 0 : Math.Max(0, Parameters.Int(run, given[0], 4));
        run.Make(width);
        string indent = given[0] is TextValue own ? own.Value : new string(' ', width);
        List<string> lines = TextMethods.Lines(text + "\n", keepEnds: false);
        run.Make(text.Length + ((long)indent.Length * lines.Count));
        bool blank = Parameters.Truth(given[2]);
        StringBuilder result = new(Parameters.Truth(given[1]) ? indent : "");
        for (int i = 0; i < lines.Count; i++)
        {
            result.Append(i == 0 ? "" : "\n").Append(i > 0 && (blank || lines[i].Length > 0) ? indent : "").Append(lines[i]);
        }

        return new(result.ToString(), input is TextValue { IsSafe: true });
    }

    private static TextValue Join(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "join", 0, "d", "attribute");
        string separator = given[0] is null ? "" : Printer.Str(run, given[0]!);
        StringBuilder joined = new();
        bool first = true;
        foreach (JinjaValue item in Iteration.Of(run, input))
        {
            string text = Printer.Str(run, Sorting.AttributeOf(run, item, given[1]));
            run.Make(text.Length + separator.Length);
            joined.Append(first ? "" : separator).Append(text);
            first = false;
        }

        return new(joined.ToString());
    }

    private static TextValue Replace(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "replace", 2, "old", "new", "count");
        return new(TextMethods.Replace(
            run, Printer.Str(run, input), Printer.Str(run, given[0]!), Printer.Str(run, given[1]!), given[2] is NoneValue ? -1 : Parameters.Int(run, given[2], -1)));
    }

    // Each word's first letter in upper case; words begin after blanks, hyphens and opening brackets.
    private static string TitleOfWords(string text)
    {
        StringBuilder title = new(text.Length);
        for (int at = 0; at < text.Length;)
        {
            int end = at;
            while (end < text.Length && !IsBreak(text[end]))
            {
                end++;
            }

            if (end > at)
            {
                int first = char.IsSurrogatePair(text, at) ? 2 : 1;
                title.Append(Casing.Upper(text.Substring(at, first))).Append(Casing.Lower(text[(at + first)..end]));
            }

            for (at = end; at < text.Length && IsBreak(text[at]); at++)
            {
                title.Append(text[at]);
            }
        }

        return title.ToString();
    }

    private static bool IsBreak(char c) => c is '-' or '(' or '{' or '[' or '<' || Whitespace.Is(c);

    private static JinjaValue Trim(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue? chars = arguments.Bind(run, "trim", 0, "chars")[0];
        JinjaValue text = input as TextValue ?? new TextValue(Printer.Str(run, input));
        return TextMethods.All["strip"](run, text, new([chars ?? NoneValue.Instance], []));
    }

    private static JinjaValue Truncate(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "truncate", 0, "length", "killwords", "end", "leeway");
        TextValue text = input as TextValue ?? throw run.Error($"'truncate' needs text, not a value of type {input.TypeName}");
        int length = Parameters.Int(run, given[0], 255);
        TextValue end = given[2] is null ? new("...") : new(Parameters.Text(run, given[2]!));
        int leeway = given[3] is NoneValue ? 5 : Parameters.Int(run, given[3], 5);
        if (length < end.Count || leeway < 0)
        {
            throw run.Error("'truncate' needs a length of at least that of its end, and a leeway of at least 0");
        }

        if (text.Count <= (long)length + leeway)
        {
            return text;
        }

        string kept = ((TextValue)text.Slice(0, 1, Math.Min(length - end.Count, text.Count))).Value;
        int blank = kept.LastIndexOf(' ');
        return Parameters.Made(run, text, (Parameters.Truth(given[1]) || blank < 0 ? kept : kept[..blank]) + end.Value);
    }

    // As urllib.parse.quote does: letters, digits and _.-~/ stay.
    private static string UrlEncode(string text)
    {
        StringBuilder encoded = new(text.Length);
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            _ = char.IsAsciiLetterOrDigit((char)b) || "_.-~/".Contains((char)b, StringComparison.Ordinal)
                ? encoded.Append((char)b)
                : encoded.Append(System.Globalization.CultureInfo.InvariantCulture, $"%{b:X2}");
        }

        return encoded.ToString();
    }

    // As transformers has it: json.dumps(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False).
    private static TextValue ToJson(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
        string? indent = null;
        if (given[1] is TextValue own)
        {
            indent = own.Value;
        }
        else if (given[1] is not (null or NoneValue))
        {
            int width = Math.Max(0, Parameters.Int(run, given[1], 0));
            run.Make(width);
            indent = new(' ', width);
        }

        (string item, string key) = (indent is null ? ", " : ",", ": ");
        if (given[2] is not (null or NoneValue))
        {
            List<JinjaValue> separators = Iteration.List(run, given[2]!);
            (item, key) = separators.Count == 2
                ? (Parameters.Text(run, separators[0]), Parameters.Text(run, separators[1]))
                : throw run.Error("the separators of 'tojson' are a pair");
        }

        return new(JsonText.Write(run, input, new(indent, item, key, Parameters.Truth(given[0]), Parameters.Truth(given[3]))));
    }
}
