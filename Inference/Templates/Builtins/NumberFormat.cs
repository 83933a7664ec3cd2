using System.Globalization;
using System.Numerics;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>Numbers in the formats that <c>%</c> and <c>format</c> share.</summary>
internal static class NumberFormat
{
    /// <summary>The value without its sign, in the format e, f, g or an upper case one of these.</summary>
    public static string Real(Rendering run, double value, char kind, int precision, bool alternate)
    {
        if (precision > 400)
        {
            throw run.Error("a number is formatted with more digits than are allowed");
        }

        double magnitude = Math.Abs(value);
        string text = !double.IsFinite(value) ? (double.IsNaN(value) ? "nan" : "inf") : char.ToLowerInvariant(kind) switch
        {
            'e' => DecimalDigits.Exponential(magnitude, precision),
            'f' => DecimalDigits.Fixed(magnitude, precision),
            _ => DecimalDigits.General(magnitude, precision, alternate),
        };
        return char.IsUpper(kind) ? text.ToUpperInvariant() : text;
    }

    /// <summary>The value without its sign, in the base of b, o, x, X or, for anything else, 10.</summary>
    public static string Whole(Rendering run, BigInteger value, char kind, bool prefixed)
    {
        BigInteger magnitude = BigInteger.Abs(value);
        if (kind is not ('b' or 'o' or 'x' or 'X'))
        {
            return Printer.Str(run, new IntegerValue(magnitude));
        }

        run.Make(magnitude.GetByteCount() * 8L);
        string digits = kind is 'x' or 'X' ? magnitude.ToString("x", CultureInfo.InvariantCulture) : magnitude.ToString("b", CultureInfo.InvariantCulture);
        digits = digits.TrimStart('0');
        if (kind == 'o')
        {
            digits = string.Concat(digits.PadLeft((digits.Length + 2) / 3 * 3, '0').Chunk(3).Select(bits => (char)('0' + Convert.ToInt32(new string(bits), 2)))).TrimStart('0');
        }

        string text = (prefixed ? "0" + char.ToLowerInvariant(kind) : "") + (digits.Length == 0 ? "0" : digits);
        return kind == 'X' ? text.ToUpperInvariant() : text;
    }

    /// <summary>Fills a field: a sign stays in front of zeros.</summary>
    /// <param name="run">Counts the characters.</param>
    /// <param name="sign">The sign, or nothing.</param>
    /// <param name="text">The text after it.</param>
    /// <param name="width">The least width.</param>
    /// <param name="align">'&lt;', '&gt;', '^', or '=' for filling after the sign.</param>
    /// <param name="fill">What fills.</param>
    public static string Pad(Rendering run, string sign, string text, int width, char align, string fill)
    {
        int missing = Math.Max(0, width - sign.Length - new TextValue(text).Count);
        run.Make(text.Length + ((long)missing * fill.Length));
        int left = align switch { '<' => 0, '^' => missing / 2, _ => missing };
        string before = new System.Text.StringBuilder().Insert(0, fill, left).ToString();
        string after = new System.Text.StringBuilder().Insert(0, fill, missing - left).ToString();
        return (align == '=' ? sign + before : before + sign) + text + after;
    }
}
