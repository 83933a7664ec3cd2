using System.Globalization;
using System.Text;
using KvIL.Inference.Files;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Builtins;

/// <summary><c>'{} is {x:.2f}'.format(a, x=b)</c></summary>
internal static class BraceFormat
{
    public static string Apply(Rendering run, string format, Arguments arguments) => new Formatter(run, arguments).Format(format, depth: 2);

    private sealed class Formatter(Rendering run, Arguments arguments)
    {
        private int _next;

        public string Format(string format, int depth)
        {
            run.Make(format.Length);
            StringBuilder text = new();
            for (int at = 0; at < format.Length; at++)
            {
                char c = format[at];
                if (c is not ('{' or '}'))
                {
                    text.Append(c);
                }
                else if (at + 1 < format.Length && format[at + 1] == c)
                {
                    text.Append(c);
                    at++;
                }
                else
                {
                    int end = c == '{' ? Closing(format, at) : -1;
                    text.Append(end >= 0 && depth > 0 ? Field(format[(at + 1)..end], depth) : throw run.Error("a format has a brace that is not closed, or closes nothing"));
                    at = end;
                }
            }

            return text.ToString();
        }

        private static int Closing(string format, int open)
        {
            int depth = 0;
            for (int at = open; at < format.Length; at++)
            {
                depth += format[at] == '{' ? 1 : format[at] == '}' ? -1 : 0;
                if (depth == 0)
                {
                    return at;
                }
            }

            return -1;
        }

        // name!r:specification
        private string Field(string field, int depth)
        {
            int colon = field.IndexOf(':', StringComparison.Ordinal);
            string name = colon < 0 ? field : field[..colon];
            string specification = colon < 0 ? "" : field[(colon + 1)..];
            char conversion = '\0';
            if (name.Length > 1 && name[^2] == '!')
            {
                (conversion, name) = (name[^1], name[..^2]);
            }

            JinjaValue value = Find(name);
            specification = specification.Contains('{', StringComparison.Ordinal) ? Format(specification, depth - 1) : specification;
            value = conversion switch
            {
                '\0' => value,
                's' => new TextValue(Printer.Str(run, value)),
                'r' or 'a' => new TextValue(Printer.Repr(run, value)),
                _ => throw run.Error($"a format has no conversion {ModelFileException.Quote(conversion.ToString())}"),
            };
            return specification.Length == 0 ? Printer.Str(run, value) : new Specification(run, specification).Write(run, value);
        }

        // The first part is a number, a name, or nothing for the next value; then .attribute and [item].
        private JinjaValue Find(string path)
        {
            int end = path.AsSpan().IndexOfAny('.', '[') is >= 0 and int found ? found : path.Length;
            string first = path[..end];
            bool numbered = first.Length == 0 || first.All(char.IsAsciiDigit);
            int index = first.Length == 0 ? _next++ : numbered && int.TryParse(first, out int number) ? number : -1;
            JinjaValue? value = numbered
                ? arguments.Positional.ElementAtOrDefault(index)
                : arguments.Named.LastOrDefault(argument => argument.Name == first).Value;
            if (value is null)
            {
                throw run.Error($"there is no value {ModelFileException.Quote(numbered ? index.ToString(CultureInfo.InvariantCulture) : first)} to format");
            }

            while (end < path.Length)
            {
                bool item = path[end] == '[';
                int close = item ? path.IndexOf(']', end) : path.AsSpan(end + 1).IndexOfAny('.', '[') is >= 0 and int next ? end + 1 + next : path.Length;
                if (close < 0)
                {
                    throw run.Error("a format has a '[' that is not closed");
                }

                string key = path[(end + 1)..close];
                value = !item ? Access.Attribute(run, value, key)
                    : Access.Item(run, value, int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int at) ? new IntegerValue(at) : new TextValue(key));
                end = item ? close + 1 : close;
            }

            return value;
        }
    }

    // [[fill]align][sign][#][0][width][,][.precision][kind]
    private sealed class Specification
    {
        private readonly string _fill = " ";
        private readonly char _align;
        private readonly char _sign = '-';
        private readonly bool _alternate;
        private readonly int _width;
        private readonly char _grouping;
        private readonly int _precision = -1;
        private readonly char _kind;

        public Specification(Rendering run, string text)
        {
            TextValue all = new(text);
            int at = 0;
            bool IsAlign(int i) => i < all.Count && "<>=^".Contains(((TextValue)all[i]).Value, StringComparison.Ordinal);
            if (IsAlign(1))
            {
                _fill = ((TextValue)all[0]).Value;
                at = _fill.Length + 1;
                _align = text[at - 1];
            }
            else if (IsAlign(0))
            {
                _align = text[at++];
            }

            char Peek() => at < text.Length ? text[at] : '\0';
            char Take(string among) => Peek() != '\0' && among.Contains(Peek(), StringComparison.Ordinal) ? text[at++] : '\0';
            int? Number()
            {
                int start = at;
                while (char.IsAsciiDigit(Peek()))
                {
                    at++;
                }

                return at > start && int.TryParse(text.AsSpan(start, at - start), out int number) ? number : null;
            }

            _sign = Take("+- ") is > '\0' and char sign ? sign : '-';
            _alternate = Take("#") != '\0';
            if (Take("0") != '\0' && _align == '\0')
            {
                (_fill, _align) = ("0", '=');
            }

            _width = Number() ?? 0;
            _grouping = Take(",_");
            _precision = Take(".") == '\0' ? -1 : Number() ?? throw run.Error("a format has no precision after '.'");
            _kind = Take("bcdeEfFgGnosxX%");
            if (at < text.Length)
            {
                throw run.Error($"a format has the specification {ModelFileException.Quote(text)}, which means nothing");
            }
        }

        public string Write(Rendering run, JinjaValue value)
        {
            bool isWord = value is BooleanValue && _kind == '\0'; // True, not 1
            if (!isWord && PythonNumber.Whole(value) is { } integer && _kind is ('\0' or 'b' or 'c' or 'd' or 'n' or 'o' or 'x' or 'X'))
            {
                string digits = _kind == 'c' ? ((char)(int)integer).ToString() : NumberFormat.Whole(run, integer, _kind, _alternate);
                return Number(run, integer.Sign < 0, Grouped(digits));
            }

            if (!isWord && PythonNumber.Real(value) is { } real)
            {
                string digits = _kind switch
                {
                    '\0' when _precision < 0 => PythonNumber.Repr(Math.Abs(real)),
                    '\0' => WithFraction(NumberFormat.Real(run, real, 'g', _precision, _alternate)),
                    '%' => NumberFormat.Real(run, real * 100, 'f', _precision < 0 ? 6 : _precision, _alternate) + "%",
                    'n' => NumberFormat.Real(run, real, 'g', _precision < 0 ? 6 : _precision, _alternate),
                    _ => NumberFormat.Real(run, real, _kind, _precision < 0 ? 6 : _precision, _alternate),
                };
                return Number(run, double.IsNegative(real), Grouped(digits));
            }

            TextValue text = value as TextValue ?? new(Printer.Str(run, value));
            if (_kind is not ('\0' or 's'))
            {
                throw run.Error($"the format '{_kind}' does not take a value of type {value.TypeName}");
            }

            string cut = _precision >= 0 && _precision < text.Count ? ((TextValue)text.Slice(0, 1, _precision)).Value : text.Value;
            return NumberFormat.Pad(run, "", cut, _width, _align == '\0' ? '<' : _align, _fill);
        }

        // A double without a kind keeps a digit after the point.
        private static string WithFraction(string digits) => digits.All(char.IsAsciiDigit) ? digits + ".0" : digits;

        private string Number(Rendering run, bool negative, string digits)
        {
            string sign = negative ? "-" : _sign is '+' or ' ' ? _sign.ToString() : "";
            return NumberFormat.Pad(run, sign, digits, _width, _align == '\0' ? '>' : _align, _fill);
        }

        private string Grouped(string digits)
        {
            if (_grouping == '\0')
            {
                return digits;
            }

            int end = digits.AsSpan().IndexOfAnyExceptInRange('0', '9') is >= 0 and int other ? other : digits.Length;
            StringBuilder grouped = new(digits);
            for (int at = end - 3; at > 0; at -= 3)
            {
                grouped.Insert(at, _grouping);
            }

            return grouped.ToString();
        }
    }
}
