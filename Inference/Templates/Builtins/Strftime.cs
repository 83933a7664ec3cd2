using System.Globalization;
using System.Text;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>Dates by C's format, with English names.</summary>
internal static class Strftime
{
    private static readonly CultureInfo English = CultureInfo.InvariantCulture;

    public static string Format(Rendering run, DateTime time, string format)
    {
        run.Make(format.Length);
        StringBuilder text = new();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }

            char padding = format[++i];
            bool padded = "-_0^".Contains(padding, StringComparison.Ordinal) && i + 1 < format.Length;
            string? field = Field(time, padded ? format[++i] : padding);
            text.Append(field is null ? $"%{(padded ? padding.ToString() : "")}{format[i]}" : padded ? Pad(field, padding) : field);
        }

        run.Make(text.Length);
        return text.ToString();
    }

    // %-d without zeros in front, %_d with blanks in their place, %^a in capitals.
    private static string Pad(string field, char padding)
    {
        string bare = field.TrimStart('0', ' ');
        bare = bare.Length == 0 ? field[^1..] : bare;
        return padding switch
        {
            '-' => bare,
            '_' => bare.PadLeft(field.Length),
            '0' => bare.PadLeft(field.Length, '0'),
            _ => field.ToUpperInvariant(),
        };
    }

    private static string? Field(DateTime time, char code) => code switch
    {
        'a' => time.ToString("ddd", English),
        'A' => time.ToString("dddd", English),
        'b' or 'h' => time.ToString("MMM", English),
        'B' => time.ToString("MMMM", English),
        'c' => $"{time.ToString("ddd MMM", English)} {time.Day,2} {time.ToString("HH:mm:ss yyyy", English)}",
        'C' => Two(time.Year / 100),
        'd' => Two(time.Day),
        'D' or 'x' => time.ToString("MM'/'dd'/'yy", English),
        'e' => $"{time.Day,2}",
        'f' => time.ToString("ffffff", English),
        'F' => time.ToString("yyyy'-'MM'-'dd", English),
        'g' => Two(ISOWeek.GetYear(time) % 100),
        'G' => ISOWeek.GetYear(time).ToString(English),
        'H' => Two(time.Hour),
        'I' => Two((time.Hour + 11) % 12 + 1),
        'j' => time.DayOfYear.ToString("000", English),
        'k' => $"{time.Hour,2}",
        'l' => $"{(time.Hour + 11) % 12 + 1,2}",
        'm' => Two(time.Month),
        'M' => Two(time.Minute),
        'n' => "\n",
        'p' => time.Hour < 12 ? "AM" : "PM",
        'P' => time.Hour < 12 ? "am" : "pm",
        'r' => $"{Field(time, 'I')}:{Field(time, 'M')}:{Field(time, 'S')} {Field(time, 'p')}",
        'R' => time.ToString("HH':'mm", English),
        'S' => Two(time.Second),
        's' => new DateTimeOffset(time).ToUnixTimeSeconds().ToString(English),
        't' => "\t",
        'T' or 'X' => time.ToString("HH':'mm':'ss", English),
        'u' => ((((int)time.DayOfWeek + 6) % 7) + 1).ToString(English),
        'U' => Two((time.DayOfYear + 6 - (int)time.DayOfWeek) / 7),
        'V' => Two(ISOWeek.GetWeekOfYear(time)),
        'w' => ((int)time.DayOfWeek).ToString(English),
        'W' => Two((time.DayOfYear + 6 - (((int)time.DayOfWeek + 6) % 7)) / 7),
        'y' => Two(time.Year % 100),
        'Y' => time.Year.ToString(English),
        'z' or 'Z' => "", // local time of no named zone
        '%' => "%",
        _ => null,
    };

    private static string Two(int value) => value.ToString("00", English);
}
