using System.Globalization;
using System.Text;
using System.Text.Json;

namespace KvIL.Inference.Templates.Values;

/// <summary>JSON to values and back: <c>json.loads</c>, and <c>json.dumps</c> with <c>ensure_ascii=False</c> unless asked for.</summary>
internal static class JsonText
{
    /// <summary>How <c>tojson</c> writes.</summary>
    /// <param name="Indent">What a level is indented by; null for one line.</param>
    /// <param name="Item">Stands between items.</param>
    /// <param name="Key">Stands between key and value.</param>
    /// <param name="Ascii">Whether other characters are escaped.</param>
    /// <param name="Sorted">Whether keys are sorted.</param>
    internal sealed record Style(string? Indent, string Item, string Key, bool Ascii, bool Sorted);

    /// <summary>The value of a JSON element; of a key that comes twice the last one counts.</summary>
    /// <exception cref="RequestException">A text is not valid Unicode, or a number has thousands of digits.</exception>
    public static JinjaValue Read(JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.String:
                return new TextValue(String(json));
            case JsonValueKind.Number:
                string number = json.GetRawText();
                return number.AsSpan().ContainsAny('.', 'e', 'E')
                    ? new FloatValue(double.Parse(number, CultureInfo.InvariantCulture))
                    : new IntegerValue(PythonNumber.ParseInteger(number, 10) ?? throw new RequestException("A number of the messages has too many digits; shorten it."));
            case JsonValueKind.Array:
                return new ListValue([.. json.EnumerateArray().Select(Read)]);
            case JsonValueKind.Object:
                DictValue dict = new();
                foreach (JsonProperty property in json.EnumerateObject())
                {
                    dict.Set(Valid(() => property.Name), Read(property.Value));
                }

                return dict;
            case JsonValueKind.True or JsonValueKind.False:
                return BooleanValue.Of(json.ValueKind == JsonValueKind.True);
            default:
                return NoneValue.Instance;
        }
    }

    public static string String(JsonElement json) => Valid(() => json.GetString()!);

    /// <summary>The value as JSON.</summary>
    public static string Write(Rendering run, JinjaValue value, Style style)
    {
        StringBuilder json = new();
        Write(run, value, style, "\n", json);
        return json.ToString();
    }

    private static void Write(Rendering run, JinjaValue value, Style style, string line, StringBuilder json)
    {
        run.Enter();
        string text = value switch
        {
            NoneValue => "null",
            BooleanValue boolean => boolean.Value ? "true" : "false",
            TextValue quoted => Quote(quoted.Value, style.Ascii),
            IntegerValue => Printer.Str(run, value),
            FloatValue real => Number(real.Value),
            ListValue { Count: 0 } => "[]",
            DictValue { Count: 0 } => "{}",
            ListValue => "[",
            DictValue => "{",
            _ => throw run.Error($"a value of type {value.TypeName} cannot be written as JSON"),
        };
        run.Make(text.Length + line.Length);
        json.Append(text);
        string inner = line + style.Indent;
        string separator = style.Indent is null ? "" : inner;
        if (value is ListValue { Count: > 0 } list)
        {
            foreach (JinjaValue item in list.Items)
            {
                json.Append(separator);
                Write(run, item, style, inner, json);
                separator = style.Item + (style.Indent is null ? "" : inner);
            }

            json.Append(style.Indent is null ? "" : line).Append(']');
        }
        else if (value is DictValue { Count: > 0 } dict)
        {
            foreach ((string key, JinjaValue item) in Members(run, dict, style))
            {
                run.Make(key.Length);
                json.Append(separator).Append(Quote(key, style.Ascii)).Append(style.Key);
                Write(run, item, style, inner, json);
                separator = style.Item + (style.Indent is null ? "" : inner);
            }

            json.Append(style.Indent is null ? "" : line).Append('}');
        }

        run.Leave();
    }

    private static IEnumerable<(string, JinjaValue)> Members(Rendering run, DictValue dict, Style style)
    {
        List<(JinjaValue Key, JinjaValue Value)> items = [.. dict.Items];
        if (style.Sorted)
        {
            Builtins.Sorting.Sort(run, items, item => item.Key, reverse: false);
        }

        return items.Select(item => (Key(run, item.Key), item.Value));
    }

    private static string Key(Rendering run, JinjaValue key) => key switch
    {
        TextValue text => text.Value,
        NoneValue => "null",
        BooleanValue boolean => boolean.Value ? "true" : "false",
        IntegerValue => Printer.Str(run, key),
        FloatValue real => Number(real.Value),
        _ => throw run.Error($"a key of type {key.TypeName} cannot be written as JSON"),
    };

    private static string Number(double value) =>
        double.IsFinite(value) ? PythonNumber.Repr(value) : double.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";

    private static string Quote(string text, bool ascii)
    {
        StringBuilder quoted = new StringBuilder(text.Length + 2).Append('"');
        foreach (char c in text)
        {
            int named = "\"\\\n\r\t\b\f".IndexOf(c, StringComparison.Ordinal);
            if (named >= 0)
            {
                quoted.Append('\\').Append("\"\\nrtbf"[named]);
            }
            else if (c < ' ' || (ascii && c > '~'))
            {
                quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            }
            else
            {
                quoted.Append(c);
            }
        }

        return quoted.Append('"').ToString();
    }

    private static string Valid(Func<string> read)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException)
        {
            throw new RequestException("A text of the messages is not valid Unicode; correct its escapes.");
        }
    }
}
