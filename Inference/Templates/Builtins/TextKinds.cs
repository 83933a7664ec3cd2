using System.Globalization;
using System.Text;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>What Python calls letters, digits and numbers.</summary>
internal static class TextKinds
{
    public static bool IsLetter(Rune rune) => Rune.IsLetter(rune);

    public static bool IsDecimal(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber;

    public static bool IsDigit(Rune rune) => IsDecimal(rune) || CharUnicodeInfo.GetDigitValue(rune.ToString(), 0) >= 0;

    public static bool IsNumeric(Rune rune) => IsDigit(rune) || CharUnicodeInfo.GetNumericValue(rune.ToString(), 0) >= 0;

    public static bool IsAlphanumeric(Rune rune) => IsLetter(rune) || IsNumeric(rune);

    /// <summary>Whether there are characters, all of them of a kind.</summary>
    public static bool All(string text, Func<Rune, bool> isOf) => text.Length > 0 && text.EnumerateRunes().All(isOf);

    private static bool All(this StringRuneEnumerator runes, Func<Rune, bool> isOf)
    {
        foreach (Rune rune in runes)
        {
            if (!isOf(rune))
            {
                return false;
            }
        }

        return true;
    }
}
