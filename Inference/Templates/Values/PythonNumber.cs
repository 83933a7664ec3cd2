using System.Globalization;
using System.Numerics;
using System.Text;

namespace KvIL.Inference.Templates.Values;

/// <summary>Numbers as Python reads, writes, divides and rounds them.</summary>
internal static class PythonNumber
{
    // As Python: conversion takes time that grows with the square of the digits.
    private const int MostDigits = 4300;

    /// <summary>The whole number, for a bool too.</summary>
    public static BigInteger? Whole(JinjaValue value) => value switch
    {
        IntegerValue integer => integer.Value,
        BooleanValue boolean => boolean.Value ? 1 : 0,
        _ => null,
    };

    /// <summary>The number as a double; null for what is no number.</summary>
    public static double? Real(JinjaValue value) => value is FloatValue real ? real.Value : (double?)Whole(value);

    /// <summary>The whole number, cut to the range of an int; null for what is none.</summary>
    public static int? Clamped(JinjaValue value) =>
        Whole(value) is { } whole ? (int)BigInteger.Clamp(whole, -int.MaxValue, int.MaxValue) : null;

    /// <summary>Reads digits of a radix from 2 to 36; null where one is none, or where they are too many.</summary>
    public static BigInteger? ParseDigits(ReadOnlySpan<char> digits, int radix)
    {
        if (digits.Length is 0 or > MostDigits)
        {
            return null;
        }

        BigInteger value = 0;
        foreach (char c in digits)
        {
            int digit = char.IsAsciiDigit(c) ? c - '0' : char.IsAsciiLetter(c) ? char.ToLowerInvariant(c) - 'a' + 10 : radix;
            if (digit >= radix)
            {
                return null;
            }

            value = (value * radix) + digit;
        }

        return value;
    }

    /// <summary>int(text, radix): with a sign, white space around it, underscores between digits, and a prefix such as 0x.</summary>
    public static BigInteger? ParseInteger(string text, int radix)
    {
        string rest = Whitespace.Trim(text);
        bool negative = rest is ['-', ..];
        rest = rest is ['-' or '+', ..] ? rest[1..] : rest;
        if (rest is ['0', char prefix, ..] && char.ToLowerInvariant(prefix) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 } is > 1 and int of
            && (radix == of || radix == 0))
        {
            (rest, radix) = (rest[2..], of);
            rest = rest is ['_', ..] ? rest[1..] : rest;
        }

        if (rest is ['_', ..] or [.., '_'] || rest.Contains("__", StringComparison.Ordinal))
        {
            return null;
        }

        BigInteger? value = ParseDigits(rest.Replace("_", "", StringComparison.Ordinal), radix == 0 ? 10 : radix);
        return negative ? -value : value;
    }

    /// <summary>float(text); null where it is no number.</summary>
    public static double? ParseReal(string text)
    {
        string trimmed = Whitespace.Trim(text);
        string word = trimmed.TrimStart('+', '-').ToLowerInvariant();
        if (word is "inf" or "infinity" or "nan")
        {
            return word == "nan" ? double.NaN : trimmed[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
        }

        bool underscores = trimmed.Contains('_', StringComparison.Ordinal);
        if (underscores && (trimmed is ['_', ..] or [.., '_'] || trimmed.Contains("__", StringComparison.Ordinal)))
        {
            return null;
        }

        return double.TryParse(trimmed.Replace("_", "", StringComparison.Ordinal), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out double value)
            ? value
            : null;
    }

    /// <summary>Python's repr of a double: the shortest digits that give it back; an exponent below 1e-4 and from 1e16 on.</summary>
    public static string Repr(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }

        (string digits, int exponent) = Digits(Math.Abs(value).ToString("R", CultureInfo.InvariantCulture));
        StringBuilder text = new(double.IsNegative(value) ? "-" : "");
        if (exponent is < -4 or >= 16)
        {
            text.Append(digits[0]).Append(digits.Length > 1 ? "." : "").Append(digits, 1, digits.Length - 1);
            return text.Append(CultureInfo.InvariantCulture, $"e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}").ToString();
        }

        if (exponent < 0)
        {
            return text.Append("0.").Append('0', -exponent - 1).Append(digits).ToString();
        }

        string whole = digits.PadRight(exponent + 1, '0');
        text.Append(whole, 0, exponent + 1).Append('.');
        return text.Append(whole.Length > exponent + 1 ? whole[(exponent + 1)..] : "0").ToString();
    }

    /// <summary>a // b of doubles, as Python has it.</summary>
    public static double FloorDivide(double a, double b)
    {
        double quotient = (a - Modulo(a, b)) / b;
        double floor = Math.Floor(quotient);
        return quotient == 0 ? Math.CopySign(0, a / b) : quotient - floor > 0.5 ? floor + 1 : floor;
    }

    /// <summary>a % b of doubles: the sign of b.</summary>
    public static double Modulo(double a, double b)
    {
        double rest = a % b;
        return rest == 0 ? Math.CopySign(0, b) : (rest < 0) != (b < 0) ? rest + b : rest;
    }

    /// <summary>a // b of whole numbers: rounded down.</summary>
    public static BigInteger FloorDivide(BigInteger a, BigInteger b)
    {
        BigInteger quotient = BigInteger.DivRem(a, b, out BigInteger rest);
        return !rest.IsZero && rest.Sign != b.Sign ? quotient - 1 : quotient;
    }

    /// <summary>The nearest whole number times 10^-places, a tie going to the even digit.</summary>
    public static double Round(double value, int places)
    {
        if (!double.IsFinite(value) || places > 400)
        {
            return value;
        }

        if (places < 0)
        {
            return places < -400 ? 0 : (double)Round(new BigInteger(Math.Round(value, MidpointRounding.ToEven)), places);
        }

        return double.Parse(DecimalDigits.Fixed(value, places), CultureInfo.InvariantCulture);
    }

    /// <summary>The nearest multiple of 10^-places, for places below 0, a tie going to the even one.</summary>
    public static BigInteger Round(BigInteger value, int places)
    {
        if (places >= 0)
        {
            return value;
        }

        BigInteger unit = BigInteger.Pow(10, Math.Min(-places, MostDigits));
        BigInteger quotient = FloorDivide(value, unit);
        BigInteger twice = 2 * (value - (quotient * unit));
        bool up = twice > unit || (twice == unit && !quotient.IsEven);
        return (up ? quotient + 1 : quotient) * unit;
    }

    // "1.25E-07" or "0.000125" as digits without zeros around them, and the exponent of the first digit.
    private static (string Digits, int Exponent) Digits(string number)
    {
        int e = number.IndexOf('E', StringComparison.Ordinal);
        int exponent = e < 0 ? 0 : int.Parse(number.AsSpan(e + 1), CultureInfo.InvariantCulture);
        string mantissa = e < 0 ? number : number[..e];
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        exponent += (point < 0 ? mantissa.Length : point) - 1;
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        string significant = digits.TrimStart('0');
        if (significant.Length == 0)
        {
            return ("0", 0);
        }

        return (significant.TrimEnd('0'), exponent - (digits.Length - significant.Length));
    }
}
