using System.Globalization;
using System.Numerics;
using System.Text;
using KvIL.Inference.Files;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Builtins;

/// <summary><c>'%s is %.2f' % (a, b)</c>: Python's printf.</summary>
internal static class PercentFormat
{
    public static string Apply(Rendering run, string format, JinjaValue values, bool escapes = false)
    {
        run.Make(format.Length);
        Queue<JinjaValue> rest = new(values is ListValue { IsTuple: true } tuple ? tuple.Items : [values]);
        bool usedName = false;
        StringBuilder text = new();
        for (int at = 0; at < format.Length;)
        {
            int percent = format.IndexOf('%', at);
            text.Append(format, at, (percent < 0 ? format.Length : percent) - at);
            if (percent < 0)
            {
                break;
            }

            at = percent + 1;
            Field field = Field.Read(run, format, ref at, Next);
            usedName |= field.Name is not null;
            if (field.Kind == '%')
            {
                text.Append('%');
                continue;
            }

            JinjaValue value = field.Name is null ? Next()
                : values is DictValue dict ? dict.Find(field.Name) ?? throw run.Error($"there is no value {ModelFileException.Quote(field.Name)} to format")
                : throw run.Error("a format with names needs a dict");
            text.Append(field.Write(run, value, escapes));
        }

        return rest.Count == 0 || usedName || values is DictValue or UndefinedValue or ListValue { IsTuple: false } ? text.ToString()
            : throw run.Error("there are more values than the format has places for");

        JinjaValue Next() => rest.TryDequeue(out JinjaValue? value) ? value : throw run.Error("there are fewer values than the format has places for");
    }

    private sealed record Field(string? Name, string Flags, int Width, int Precision, char Kind)
    {
        // %(name)-10.3f; a width or precision of * is the next value.
        public static Field Read(Rendering run, string format, ref int at, Func<JinjaValue> next)
        {
            string? name = null;
            if (at < format.Length && format[at] == '(')
            {
                int close = format.IndexOf(')', at);
                name = close < 0 ? throw run.Error("a name in a format is not closed by ')'") : format[(at + 1)..close];
                at = close + 1;
            }

            int flags = at;
            while (at < format.Length && "-+ #0".Contains(format[at], StringComparison.Ordinal))
            {
                at++;
            }

            string flag = format[flags..at];
            int width = Number(run, format, ref at, next) ?? 0;
            int precision = -1;
            if (at < format.Length && format[at] == '.')
            {
                at++;
                precision = Number(run, format, ref at, next) ?? 0;
            }

            while (at < format.Length && format[at] is 'h' or 'l' or 'L')
            {
                at++;
            }

            char kind = at < format.Length ? format[at++] : throw run.Error("a format ends inside a place for a value");
            return new(name, width < 0 ? flag + "-" : flag, Math.Abs(width), precision, kind);
        }

        public string Write(Rendering run, JinjaValue value, bool escapes)
        {
            switch (Kind)
            {
                case 's':
                    bool plain = escapes && value is not TextValue { IsSafe: true };
                    return Text(run, plain ? Html.Escape(run, Printer.Str(run, value)) : Printer.Str(run, value));
                case 'r' or 'a':
                    return Text(run, Printer.Repr(run, value));
                case 'c':
                    return Text(run, Character(run, value));
                case 'd' or 'i' or 'u':
                    BigInteger whole = PythonNumber.Whole(value) ?? (value is FloatValue { Value: double real } && double.IsFinite(real)
                        ? new BigInteger(real) : throw Wrong(run, value));
                    return Number(run, whole.Sign < 0, Digits(NumberFormat.Whole(run, whole, 'd', false)));
                case 'x' or 'X' or 'o':
                    BigInteger based = PythonNumber.Whole(value) ?? throw Wrong(run, value);
                    return Number(run, based.Sign < 0, Digits(NumberFormat.Whole(run, based, Kind, Has('#'))));
                case 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                    double number = PythonNumber.Real(value) ?? throw Wrong(run, value);
                    return Number(run, double.IsNegative(number), NumberFormat.Real(run, number, Kind, Precision < 0 ? 6 : Precision, Has('#')));
                default:
                    throw run.Error($"a format has no kind {ModelFileException.Quote(Kind.ToString())} of value");
            }
        }

        private static int? Number(Rendering run, string format, ref int at, Func<JinjaValue> next)
        {
            if (at < format.Length && format[at] == '*')
            {
                at++;
                return Parameters.Int(run, next(), 0);
            }

            int start = at;
            while (at < format.Length && char.IsAsciiDigit(format[at]))
            {
                at++;
            }

            return at == start ? null
                : int.TryParse(format.AsSpan(start, at - start), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number
                : throw run.Error("a format has a width that is too large");
        }

        private static string Character(Rendering run, JinjaValue value) => value is TextValue { Count: 1 } text ? text.Value
            : PythonNumber.Whole(value) is { } code && Rune.IsValid((int)BigInteger.Clamp(code, -1, int.MaxValue)) ? new Rune((int)code).ToString()
            : throw run.Error("'%c' needs one character");

        private bool Has(char flag) => Flags.Contains(flag, StringComparison.Ordinal);

        private string Digits(string digits) => Precision > 400 ? digits : digits.PadLeft(Math.Max(0, Precision), '0');

        private string Text(Rendering run, string text)
        {
            TextValue all = new(text);
            string cut = Precision >= 0 && Precision < all.Count ? ((TextValue)all.Slice(0, 1, Precision)).Value : text;
            return NumberFormat.Pad(run, "", cut, Width, Has('-') ? '<' : '>', " ");
        }

        private string Number(Rendering run, bool negative, string digits)
        {
            string sign = negative ? "-" : Has('+') ? "+" : Has(' ') ? " " : "";
            bool zeros = Has('0') && !Has('-');
            return NumberFormat.Pad(run, sign, digits, Width, Has('-') ? '<' : zeros ? '=' : '>', zeros ? "0" : " ");
        }

        private TemplateException Wrong(Rendering run, JinjaValue value) => run.Error($"'%{Kind}' needs a number, not a value of type {value.TypeName}");
    }
}
