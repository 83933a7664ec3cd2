using System.Globalization;
using System.Text;

namespace KvIL.Inference.Templates.Values;

/// <summary>Values as text: Python's <c>str</c> and <c>repr</c>.</summary>
internal static class Printer
{
    /// <summary>What printing the value writes.</summary>
    public static string Str(Rendering run, JinjaValue value)
    {
        switch (value)
        {
            case TextValue text:
                return text.Value;
            case UndefinedValue:
                return "";
            default:
                StringBuilder written = new();
                Write(run, value, written);
                return written.ToString();
        }
    }

    /// <summary>The value as it would stand in a program.</summary>
    public static string Repr(Rendering run, JinjaValue value)
    {
        StringBuilder written = new();
        Write(run, value, written);
        return written.ToString();
    }

    private static void Write(Rendering run, JinjaValue value, StringBuilder to)
    {
        run.Enter();
        switch (value)
        {
            case TextValue text:
                Add(run, to, text.IsSafe ? $"Markup({Quote(text.Value)})" : Quote(text.Value));
                break;
            case ListValue list:
                bool single = list.IsTuple && list.Count == 1;
                WriteAll(run, list.Items, list.IsTuple ? "(" : "[", single ? ",)" : list.IsTuple ? ")" : "]", to);
                break;
            case DictValue dict:
                WriteDict(run, dict, to);
                break;
            case ViewValue view:
                WriteAll(run, view.Items, view.TypeName + "([", "])", to);
                break;
            case NamespaceValue space:
                Add(run, to, "<Namespace ");
                WriteDict(run, space.Attributes, to);
                to.Append('>');
                break;
            default:
                Add(run, to, Simple(run, value));
                break;
        }

        run.Leave();
    }

    private static string Simple(Rendering run, JinjaValue value) => value switch
    {
        NoneValue => "None",
        BooleanValue boolean => boolean.Value ? "True" : "False",
        IntegerValue integer => Whole(run, integer.Value),
        FloatValue real => PythonNumber.Repr(real.Value),
        RangeValue range => $"range({Whole(run, range.Start)}, {Whole(run, range.Stop)}{(range.Step.IsOne ? "" : $", {Whole(run, range.Step)}")})",
        MacroValue macro => $"<Macro {Quote(macro.Name)}>",
        CallableValue function => $"<function {function.Name}>",
        UndefinedValue => "Undefined",
        _ => $"<{value.TypeName}>",
    };

    private static string Whole(Rendering run, System.Numerics.BigInteger value)
    {
        run.Read(value.GetByteCount() * (long)value.GetByteCount());
        return value.ToString(CultureInfo.InvariantCulture);
    }

    private static void WriteDict(Rendering run, DictValue dict, StringBuilder to)
    {
        string separator = "{";
        foreach ((JinjaValue key, JinjaValue item) in dict.Items)
        {
            to.Append(separator);
            Write(run, key, to);
            to.Append(": ");
            Write(run, item, to);
            separator = ", ";
        }

        to.Append(dict.Truth ? "}" : "{}");
    }

    private static void WriteAll(Rendering run, IEnumerable<JinjaValue> items, string open, string close, StringBuilder to)
    {
        Add(run, to, open);
        string separator = "";
        foreach (JinjaValue item in items)
        {
            to.Append(separator);
            Write(run, item, to);
            separator = ", ";
        }

        to.Append(close);
    }

    private static void Add(Rendering run, StringBuilder to, string text)
    {
        run.Make(text.Length);
        to.Append(text);
    }

    // Single quotes, unless there are such inside and no double ones.
    private static string Quote(string text)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        StringBuilder quoted = new StringBuilder(text.Length + 2).Append(quote);
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (char.IsSurrogatePair(text, i))
            {
                int code = char.ConvertToUtf32(c, text[++i]);
                _ = IsPrintable(CharUnicodeInfo.GetUnicodeCategory(code))
                    ? quoted.Append(c).Append(text[i])
                    : quoted.Append(CultureInfo.InvariantCulture, $"\\U{code:x8}");
            }
            else if (c == quote || c == '\\')
            {
                quoted.Append('\\').Append(c);
            }
            else if ("\n\r\t".IndexOf(c, StringComparison.Ordinal) is >= 0 and int at)
            {
                quoted.Append('\\').Append("nrt"[at]);
            }
            else if (c == ' ' || IsPrintable(CharUnicodeInfo.GetUnicodeCategory(c)))
            {
                quoted.Append(c);
            }
            else
            {
                _ = c <= 0xff ? quoted.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}") : quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            }
        }

        return quoted.Append(quote).ToString();
    }

    private static bool IsPrintable(UnicodeCategory category) => category is not (UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);
}
