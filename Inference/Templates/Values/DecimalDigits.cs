using System.Globalization;
using System.Numerics;

namespace KvIL.Inference.Templates.Values;

/// <summary>A double written with a given number of digits: its exact value, rounded once, a tie going to the even digit.</summary>
internal static class DecimalDigits
{
    /// <summary>Digits before the point, and so many after it; the value is finite.</summary>
    public static string Fixed(double value, int places)
    {
        (BigInteger scaled, bool negative) = Scaled(value, places);
        string digits = scaled.ToString(CultureInfo.InvariantCulture).PadLeft(places + 1, '0');
        string whole = digits[..^places];
        return (negative ? "-" : "") + (places == 0 ? digits : $"{whole}.{digits[^places..]}");
    }

    /// <summary>One digit before the point, so many after it, and the exponent; the value is finite.</summary>
    public static string Exponential(double value, int places)
    {
        (string digits, int exponent, bool negative) = Significant(value, places + 1);
        string fraction = places == 0 ? "" : "." + digits[1..];
        return string.Create(CultureInfo.InvariantCulture, $"{(negative ? "-" : "")}{digits[0]}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
    }

    /// <summary>So many digits in whichever of both forms is shorter, without zeros at the end: <c>%g</c>.</summary>
    public static string General(double value, int precision, bool keepZeros)
    {
        int count = Math.Max(precision, 1);
        (_, int exponent, _) = Significant(value, count);
        if (exponent < -4 || exponent >= count)
        {
            string text = Exponential(value, count - 1);
            int e = text.IndexOf('e', StringComparison.Ordinal);
            return keepZeros ? text : WithoutZeros(text[..e]) + text[e..];
        }

        string fixedText = Fixed(value, count - 1 - exponent);
        return keepZeros ? fixedText : WithoutZeros(fixedText);
    }

    private static string WithoutZeros(string text) =>
        text.Contains('.', StringComparison.Ordinal) ? text.TrimEnd('0').TrimEnd('.') : text;

    private static (string Digits, int Exponent, bool Negative) Significant(double value, int count)
    {
        if (value == 0)
        {
            return (new string('0', count), 0, double.IsNegative(value));
        }

        // One off where the logarithm, or the rounding, crosses a power of ten.
        int exponent = (int)Math.Floor(Math.Log10(Math.Abs(value)));
        string digits = Scaled(value, count - 1 - exponent).Value.ToString(CultureInfo.InvariantCulture);
        for (int tries = 0; digits.Length != count && tries < 3; tries++)
        {
            exponent += digits.Length - count;
            digits = Scaled(value, count - 1 - exponent).Value.ToString(CultureInfo.InvariantCulture);
        }

        return (digits, exponent, value < 0);
    }

    // |value| * 10^places, rounded to a whole number.
    private static (BigInteger Value, bool Negative) Scaled(double value, int places)
    {
        long bits = BitConverter.DoubleToInt64Bits(value);
        int exponent = (int)((bits >> 52) & 0x7FF);
        long fraction = bits & 0xF_FFFF_FFFF_FFFF;
        BigInteger numerator = exponent == 0 ? fraction : fraction | (1L << 52);
        int power = Math.Max(exponent, 1) - 1075;
        BigInteger denominator = 1;
        _ = power >= 0 ? numerator <<= power : denominator <<= -power;
        _ = places >= 0 ? numerator *= BigInteger.Pow(10, places) : denominator *= BigInteger.Pow(10, -places);
        BigInteger quotient = BigInteger.DivRem(numerator, denominator, out BigInteger rest);
        int tie = (2 * rest).CompareTo(denominator);
        return (tie > 0 || (tie == 0 && !quotient.IsEven) ? quotient + 1 : quotient, bits < 0);
    }
}
