using System.Globalization;

namespace KvIL.Eviction;

/// <summary>An exact non-negative fraction in lowest terms, so that no share is ever rounded in binary.</summary>
/// <remarks>
/// <code>value = Numerator / Denominator</code>
/// <c>default</c> is 0/1. Two ratios are equal exactly when their values are.
/// </remarks>
public readonly record struct Ratio
{
    // 16 digits, and two more for a percent sign, stay below 2⁶³.
    private const int MaxDigits = 16;

    // One less than the denominator: this makes default(Ratio) the number zero.
    private readonly long _denominatorLessOne;

    /// <summary>The fraction <paramref name="numerator"/> / <paramref name="denominator"/>, reduced.</summary>
    /// <exception cref="ArgumentOutOfRangeException">
    /// The numerator is negative or the denominator is not positive.
    /// </exception>
    public Ratio(long numerator, long denominator)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(numerator);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(denominator);
        long divisor = GreatestCommonDivisor(numerator, denominator);
        Numerator = numerator / divisor;
        _denominatorLessOne = (denominator / divisor) - 1;
    }

    /// <summary>Numerator in lowest terms, at least 0.</summary>
    public long Numerator { get; }

    /// <summary>Denominator in lowest terms, at least 1.</summary>
    public long Denominator => _denominatorLessOne + 1;

    /// <summary>Reads <c>0.2</c>, <c>20%</c>, <c>12.5%</c> or <c>1/3</c>, exactly.</summary>
    /// <param name="text">At most 16 decimal digits; no sign, no exponent, no blanks.</param>
    /// <exception cref="FormatException">The text is none of these.</exception>
    public static Ratio Parse(string text) => TryParse(text, out Ratio value)
        ? value
        : throw new FormatException($"Expected a number such as 0.2, 20% or 1/5, got '{text}'.");

    /// <summary><see cref="Parse"/> that reports failure by returning false.</summary>
    public static bool TryParse(string text, out Ratio value)
    {
        ArgumentNullException.ThrowIfNull(text);
        int slash = text.IndexOf('/');
        return slash < 0
            ? TryParseDecimal(text, out value)
            : TryParseFraction(text.AsSpan(0, slash), text.AsSpan(slash + 1), out value);
    }

    /// <summary><c>round(n · ratio)</c>, halves to the even neighbour; the product is exact in 128 bits.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="n"/> is negative.</exception>
    /// <exception cref="OverflowException">The result does not fit 64 bits.</exception>
    public long RoundHalfEven(long n)
    {
        (Int128 quotient, Int128 remainder) = Divide(n);
        Int128 twice = 2 * remainder;
        bool up = twice > Denominator || (twice == Denominator && Int128.IsOddInteger(quotient));
        return checked((long)(quotient + (up ? 1 : 0)));
    }

    /// <summary><c>⌊n · ratio⌋</c>; the product is exact in 128 bits.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="n"/> is negative.</exception>
    /// <exception cref="OverflowException">The result does not fit 64 bits.</exception>
    public long Floor(long n) => checked((long)Divide(n).Quotient);

    /// <summary>
    /// The shortest decimal where one of at most 16 digits exists, else <c>numerator/denominator</c>; parses back.
    /// </summary>
    public override string ToString()
    {
        Int128 power = 1;
        for (int decimals = 0; decimals < MaxDigits; decimals++, power *= 10)
        {
            if (power % Denominator != 0) continue;
            Int128 scaled = Numerator * (power / Denominator);
            string digits = scaled.ToString(CultureInfo.InvariantCulture).PadLeft(decimals + 1, '0');
            if (digits.Length > MaxDigits) break;
            return decimals == 0 ? digits : $"{digits[..^decimals]}.{digits[^decimals..]}";
        }

        return string.Create(CultureInfo.InvariantCulture, $"{Numerator}/{Denominator}");
    }

    private (Int128 Quotient, Int128 Remainder) Divide(long n)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        return Int128.DivRem((Int128)n * Numerator, Denominator);
    }

    private static bool TryParseDecimal(ReadOnlySpan<char> text, out Ratio value)
    {
        value = default;
        bool percent = text.EndsWith("%");
        ReadOnlySpan<char> number = percent ? text[..^1] : text;
        int dot = number.IndexOf('.');
        int decimals = dot < 0 ? 0 : number.Length - dot - 1;
        int digits = dot < 0 ? number.Length : number.Length - 1;
        if (dot == 0 || (dot > 0 && decimals == 0) || digits is 0 or > MaxDigits) return false;

        long numerator = 0;
        for (int i = 0; i < number.Length; i++)
        {
            if (i == dot) continue;
            if (!char.IsAsciiDigit(number[i])) return false;
            numerator = (numerator * 10) + (number[i] - '0');
        }

        long denominator = percent ? 100 : 1;
        for (int i = 0; i < decimals; i++) denominator *= 10;
        value = new(numerator, denominator);
        return true;
    }

    private static bool TryParseFraction(ReadOnlySpan<char> above, ReadOnlySpan<char> below, out Ratio value)
    {
        value = default;
        if (!long.TryParse(above, NumberStyles.None, CultureInfo.InvariantCulture, out long numerator)
            || !long.TryParse(below, NumberStyles.None, CultureInfo.InvariantCulture, out long denominator)
            || denominator == 0)
        {
            return false;
        }

        value = new(numerator, denominator);
        return true;
    }

    private static long GreatestCommonDivisor(long a, long b) => b == 0 ? a : GreatestCommonDivisor(b, a % b);
}
