using System.Text;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>The methods of text.</summary>
internal static class TextMethods
{
    public static IReadOnlyDictionary<string, Builtin> All { get; } = new Dictionary<string, Builtin>
    {
        ["strip"] = Strip("strip", start: true, end: true),
        ["lstrip"] = Strip("lstrip", start: true, end: false),
        ["rstrip"] = Strip("rstrip", start: false, end: true),
        ["split"] = (run, text, arguments) => TextSplitting.Split(run, "split", text, arguments, fromEnd: false),
        ["rsplit"] = (run, text, arguments) => TextSplitting.Split(run, "rsplit", text, arguments, fromEnd: true),
        ["splitlines"] = SplitLines,
        ["partition"] = (run, text, arguments) => TextSplitting.Partition(run, "partition", text, arguments, fromEnd: false),
        ["rpartition"] = (run, text, arguments) => TextSplitting.Partition(run, "rpartition", text, arguments, fromEnd: true),
        ["startswith"] = Affix("startswith", (text, part) => text.StartsWith(part, StringComparison.Ordinal)),
        ["endswith"] = Affix("endswith", (text, part) => text.EndsWith(part, StringComparison.Ordinal)),
        ["removeprefix"] = Without("removeprefix", (text, part) => text.StartsWith(part, StringComparison.Ordinal) ? text[part.Length..] : text),
        ["removesuffix"] = Without("removesuffix", (text, part) => text.EndsWith(part, StringComparison.Ordinal) ? text[..^part.Length] : text),
        ["replace"] = Replace,
        ["find"] = Find("find", fromEnd: false, mustBe: false),
        ["rfind"] = Find("rfind", fromEnd: true, mustBe: false),
        ["index"] = Find("index", fromEnd: false, mustBe: true),
        ["rindex"] = Find("rindex", fromEnd: true, mustBe: true),
        ["count"] = Count,
        ["join"] = Join,
        ["upper"] = Mapped("upper", Casing.Upper),
        ["lower"] = Mapped("lower", Casing.Lower),
        ["casefold"] = Mapped("casefold", text => Casing.Lower(text.Replace("ß", "ss", StringComparison.Ordinal))),
        ["title"] = Mapped("title", Casing.Title),
        ["capitalize"] = Mapped("capitalize", Casing.Capitalize),
        ["swapcase"] = Mapped("swapcase", Casing.Swap),
        ["center"] = Padded("center", (missing, width) => (missing / 2) + (missing & width & 1)),
        ["ljust"] = Padded("ljust", (_, _) => 0),
        ["rjust"] = Padded("rjust", (missing, _) => missing),
        ["zfill"] = ZeroFill,
        ["format"] = (run, text, arguments) => Made(run, text, BraceFormat.Apply(run, Value(text), arguments)),
        ["isalpha"] = Is("isalpha", text => TextKinds.All(text, TextKinds.IsLetter)),
        ["isalnum"] = Is("isalnum", text => TextKinds.All(text, TextKinds.IsAlphanumeric)),
        ["isdecimal"] = Is("isdecimal", text => TextKinds.All(text, TextKinds.IsDecimal)),
        ["isdigit"] = Is("isdigit", text => TextKinds.All(text, TextKinds.IsDigit)),
        ["isnumeric"] = Is("isnumeric", text => TextKinds.All(text, TextKinds.IsNumeric)),
        ["isspace"] = Is("isspace", text => Whitespace.IsAll(text)),
        ["isupper"] = Is("isupper", text => Tests.HasCase(text, Rune.IsUpper)),
        ["islower"] = Is("islower", text => Tests.HasCase(text, Rune.IsLower)),
        ["isascii"] = Is("isascii", text => Ascii.IsValid(text)),
    };

    /// <summary>The lines, cut at whatever Python takes for the end of one.</summary>
    public static List<string> Lines(string text, bool keepEnds)
    {
        List<string> lines = [];
        for (int start = 0; start < text.Length;)
        {
            int end = text.AsSpan(start).IndexOfAny("\n\r\v\f\u001c\u001d\u001e\u0085\u2028\u2029");
            int next = end < 0 ? text.Length : start + end + (text.AsSpan(start + end).StartsWith("\r\n") ? 2 : 1);
            lines.Add(text[start..(keepEnds || end < 0 ? next : start + end)]);
            start = next;
        }

        return lines;
    }

    /// <summary>The first so many occurrences replaced, all of them below 0; an empty one stands between all characters.</summary>
    public static string Replace(Rendering run, string text, string old, string with, int count)
    {
        int most = count < 0 ? int.MaxValue : count;
        if (old.Length == 0)
        {
            run.Make(text.Length + ((text.Length + 1L) * with.Length));
            StringBuilder spread = new();
            int done = 0;
            for (int i = 0; i <= text.Length; i++)
            {
                bool starts = i == text.Length || i == 0 || !char.IsSurrogatePair(text, i - 1);
                spread.Append(starts && done++ < most ? with : "").Append(i < text.Length ? text[i..(i + 1)] : "");
            }

            return spread.ToString();
        }

        run.Read(text.Length);
        StringBuilder replaced = new();
        int from = 0;
        for (int at = Next(); at >= 0 && most > 0; most--, at = Next())
        {
            run.Make(at - from + (long)with.Length);
            replaced.Append(text, from, at - from).Append(with);
            from = at + old.Length;
        }

        run.Make(text.Length - from);
        return replaced.Append(text, from, text.Length - from).ToString();

        int Next() => text.IndexOf(old, from, StringComparison.Ordinal);
    }

    private static string Value(JinjaValue text) => ((TextValue)text).Value;

    private static TextValue Made(Rendering run, JinjaValue like, string text) => Parameters.Made(run, like, text);

    private static Builtin Mapped(string name, Func<string, string> map) => (run, text, arguments) =>
    {
        arguments.Bind(run, name, 0);
        return Made(run, text, map(Value(text)));
    };

    private static Builtin Is(string name, Func<string, bool> isSo) => (run, text, arguments) =>
    {
        arguments.Bind(run, name, 0);
        return BooleanValue.Of(isSo(Value(text)));
    };

    // The argument is a set of characters, not a prefix.
    private static Builtin Strip(string name, bool start, bool end) => (run, subject, arguments) =>
    {
        string? chars = Parameters.OptionalText(run, arguments.Bind(run, name, 0, "chars")[0]);
        HashSet<int>? set = chars is null ? null : [.. CodePoints(chars)];
        bool Goes(int code) => set is null ? code <= char.MaxValue && Whitespace.Is((char)code) : set.Contains(code);
        string text = Value(subject);
        int from = 0;
        int to = text.Length;
        while (start && from < to && Goes(CodeAt(text, from)))
        {
            from += char.IsSurrogatePair(text, from) ? 2 : 1;
        }

        while (end && to > from)
        {
            int last = to - from > 1 && char.IsSurrogatePair(text, to - 2) ? to - 2 : to - 1;
            if (!Goes(CodeAt(text, last)))
            {
                break;
            }

            to = last;
        }

        return Made(run, subject, text[from..to]);
    };

    private static int CodeAt(string text, int at) => char.IsSurrogatePair(text, at) ? char.ConvertToUtf32(text, at) : text[at];

    private static IEnumerable<int> CodePoints(string text)
    {
        for (int at = 0; at < text.Length; at += char.IsSurrogatePair(text, at) ? 2 : 1)
        {
            yield return CodeAt(text, at);
        }
    }

    private static ListValue SplitLines(Rendering run, JinjaValue text, Arguments arguments)
    {
        bool keeps = Parameters.Truth(arguments.Bind(run, "splitlines", 0, "keepends")[0]);
        run.Make(Value(text).Length);
        return new([.. Lines(Value(text), keeps).Select(((TextValue)text).With)]);
    }

    private static TextValue Part(Rendering run, JinjaValue text, JinjaValue? start, JinjaValue? end) =>
        (TextValue)Iteration.Slice(run, text, start, end, null);

    private static Builtin Affix(string name, Func<string, string, bool> has) => (run, text, arguments) =>
    {
        JinjaValue?[] given = arguments.Bind(run, name, 1, "prefix", "start", "end");
        string part = given[1] is null && given[2] is null ? Value(text) : Part(run, text, given[1], given[2]).Value;
        IEnumerable<JinjaValue> affixes = given[0] is ListValue { IsTuple: true } several ? several.Items : [given[0]!];
        return BooleanValue.Of(affixes.Any(affix => has(part, Parameters.Text(run, affix))));
    };

    private static Builtin Without(string name, Func<string, string, string> without) => (run, text, arguments) =>
        Made(run, text, without(Value(text), Parameters.Text(run, arguments.Bind(run, name, 1, "affix")[0]!)));

    private static TextValue Replace(Rendering run, JinjaValue subject, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "replace", 2, "old", "new", "count");
        TextValue text = (TextValue)subject;
        string Argument(int i) => text.IsSafe && given[i] is TextValue { IsSafe: false } plain
            ? Html.Escape(run, plain.Value) : Parameters.Text(run, given[i]!);
        return text.With(Replace(run, text.Value, Argument(0), Argument(1), Parameters.Int(run, given[2], -1)));
    }

    private static Builtin Find(string name, bool fromEnd, bool mustBe) => (run, subject, arguments) =>
    {
        JinjaValue?[] given = arguments.Bind(run, name, 1, "sub", "start", "end");
        TextValue text = (TextValue)subject;
        int start = given[1] is null or NoneValue ? 0 : Parameters.Int(run, given[1], 0);
        start = Math.Max(0, start < 0 ? start + text.Count : start);
        string sought = Parameters.Text(run, given[0]!);
        string part = Part(run, text, given[1], given[2]).Value;
        int at = fromEnd && sought.Length == 0 ? part.Length
            : fromEnd ? part.LastIndexOf(sought, StringComparison.Ordinal) : part.IndexOf(sought, StringComparison.Ordinal);
        if (at < 0 || start > text.Count)
        {
            return mustBe ? throw run.Error("the text has no such part") : new IntegerValue(-1);
        }

        return new IntegerValue(start + new TextValue(part[..at]).Count);
    };

    private static IntegerValue Count(Rendering run, JinjaValue text, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "count", 1, "sub", "start", "end");
        string sought = Parameters.Text(run, given[0]!);
        TextValue part = Part(run, text, given[1], given[2]);
        return new(sought.Length == 0 ? part.Count + 1 : part.Value.AsSpan().Count(sought));
    }

    private static TextValue Join(Rendering run, JinjaValue separator, Arguments arguments)
    {
        StringBuilder joined = new();
        bool first = true;
        foreach (JinjaValue item in Iteration.Of(run, arguments.Bind(run, "join", 1, "iterable")[0]!))
        {
            string text = Parameters.Text(run, item);
            run.Make(text.Length + Value(separator).Length);
            joined.Append(first ? "" : Value(separator)).Append(text);
            first = false;
        }

        return ((TextValue)separator).With(joined.ToString());
    }

    // left(missing, width): how many of the missing characters go to the left.
    private static Builtin Padded(string name, Func<int, int, int> left) => (run, subject, arguments) =>
    {
        JinjaValue?[] given = arguments.Bind(run, name, 1, "width", "fillchar");
        TextValue text = (TextValue)subject;
        TextValue fill = given[1] is null ? new(" ") : new(Parameters.Text(run, given[1]!));
        int width = Parameters.Int(run, given[0], 0);
        if (fill.Count != 1)
        {
            throw run.Error($"'{name}' fills up with one character");
        }

        int missing = Math.Max(0, width - text.Count);
        run.Make(text.Count + (2L * missing));
        int before = left(missing, width);
        return text.With(Repeat(fill.Value, before) + text.Value + Repeat(fill.Value, missing - before));
    };

    private static TextValue ZeroFill(Rendering run, JinjaValue subject, Arguments arguments)
    {
        TextValue text = (TextValue)subject;
        int missing = Math.Max(0, Parameters.Int(run, arguments.Bind(run, "zfill", 1, "width")[0], 0) - text.Count);
        run.Make(text.Count + (long)missing);
        int sign = text.Value is ['+' or '-', ..] ? 1 : 0;
        return text.With(text.Value[..sign] + new string('0', missing) + text.Value[sign..]);
    }

    private static string Repeat(string text, int count) => new StringBuilder().Insert(0, text, count).ToString();
}
