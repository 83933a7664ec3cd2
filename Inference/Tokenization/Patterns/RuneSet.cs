using System.Globalization;
using System.Text;

namespace KvIL.Inference.Tokenization.Patterns;

/// <summary>A set of Unicode characters, as a class of a pattern describes it.</summary>
/// <remarks>
/// Up to U+00FF a bitmap; above, all characters of some general categories, and ranges, or everything but those.
/// U+0085 is the only white space above U+007F that its category does not tell, so white space above U+00FF is
/// the three separator categories.
/// </remarks>
internal sealed class RuneSet
{
    private const int BitmapSize = 256;
    private const uint AllCategories = (1u << 30) - 1;

    private readonly ulong[] _bitmap = new ulong[BitmapSize / 64];
    private uint _categories;
    private List<(int First, int Last)> _ranges = [];
    private bool _inverted;

    private RuneSet()
    {
    }

    public static RuneSet Empty => new();

    /// <summary>The white space of Unicode's property White_Space.</summary>
    public static RuneSet WhiteSpace { get; } = OfRunes(
        Rune.IsWhiteSpace, Categories(UnicodeCategory.SpaceSeparator, UnicodeCategory.LineSeparator, UnicodeCategory.ParagraphSeparator));

    /// <summary>Decimal digits, category Nd.</summary>
    public static RuneSet Digits { get; } = OfCategories(Categories(UnicodeCategory.DecimalDigitNumber));

    /// <summary>Oniguruma's \w: Alphabetic, marks, decimal digits and connectors.</summary>
    public static RuneSet WordCharacters { get; } = MakeWordCharacters();

    /// <summary>All characters but the line feed.</summary>
    public static RuneSet AnyButLineFeed { get; } = Of('\n').Inverse();

    /// <summary>Whether the set has no ranges above U+00FF, so that it can be combined with others.</summary>
    public bool IsSimple => !_inverted && _ranges.Count == 0;

    public static RuneSet Of(int rune) => OfRange(rune, rune);

    public static RuneSet OfRange(int first, int last)
    {
        var set = new RuneSet();
        for (int value = first; value <= Math.Min(last, BitmapSize - 1); value++)
        {
            set._bitmap[value >> 6] |= 1UL << (value & 63);
        }

        if (last >= BitmapSize)
        {
            set._ranges.Add((Math.Max(first, BitmapSize), last));
        }

        return set;
    }

    /// <summary>The general category of that name, such as L or Lu; null where there is none.</summary>
    public static RuneSet? OfCategory(string name) => name switch
    {
        "L" => OfCategories(Categories(
            UnicodeCategory.UppercaseLetter, UnicodeCategory.LowercaseLetter, UnicodeCategory.TitlecaseLetter,
            UnicodeCategory.ModifierLetter, UnicodeCategory.OtherLetter)),
        "Lu" => OfCategories(Categories(UnicodeCategory.UppercaseLetter)),
        "Ll" => OfCategories(Categories(UnicodeCategory.LowercaseLetter)),
        "Lt" => OfCategories(Categories(UnicodeCategory.TitlecaseLetter)),
        "Lm" => OfCategories(Categories(UnicodeCategory.ModifierLetter)),
        "Lo" => OfCategories(Categories(UnicodeCategory.OtherLetter)),
        "M" => OfCategories(Categories(
            UnicodeCategory.NonSpacingMark, UnicodeCategory.SpacingCombiningMark, UnicodeCategory.EnclosingMark)),
        "Mn" => OfCategories(Categories(UnicodeCategory.NonSpacingMark)),
        "Mc" => OfCategories(Categories(UnicodeCategory.SpacingCombiningMark)),
        "Me" => OfCategories(Categories(UnicodeCategory.EnclosingMark)),
        "N" => OfCategories(Categories(
            UnicodeCategory.DecimalDigitNumber, UnicodeCategory.LetterNumber, UnicodeCategory.OtherNumber)),
        "Nd" => OfCategories(Categories(UnicodeCategory.DecimalDigitNumber)),
        "Nl" => OfCategories(Categories(UnicodeCategory.LetterNumber)),
        "No" => OfCategories(Categories(UnicodeCategory.OtherNumber)),
        "P" => OfCategories(Categories(
            UnicodeCategory.ConnectorPunctuation, UnicodeCategory.DashPunctuation, UnicodeCategory.OpenPunctuation,
            UnicodeCategory.ClosePunctuation, UnicodeCategory.InitialQuotePunctuation,
            UnicodeCategory.FinalQuotePunctuation, UnicodeCategory.OtherPunctuation)),
        "S" => OfCategories(Categories(
            UnicodeCategory.MathSymbol, UnicodeCategory.CurrencySymbol, UnicodeCategory.ModifierSymbol,
            UnicodeCategory.OtherSymbol)),
        "Z" => OfCategories(Categories(
            UnicodeCategory.SpaceSeparator, UnicodeCategory.LineSeparator, UnicodeCategory.ParagraphSeparator)),
        "Zs" => OfCategories(Categories(UnicodeCategory.SpaceSeparator)),
        "C" => OfCategories(Categories(
            UnicodeCategory.Control, UnicodeCategory.Format, UnicodeCategory.Surrogate, UnicodeCategory.PrivateUse,
            UnicodeCategory.OtherNotAssigned)),
        "Cc" => OfCategories(Categories(UnicodeCategory.Control)),
        _ => null,
    };

    public bool Contains(int rune)
    {
        if (rune < BitmapSize)
        {
            return ((_bitmap[rune >> 6] >> (rune & 63)) & 1) != 0;
        }

        bool named = (_categories != 0 && ((_categories >> (int)CharUnicodeInfo.GetUnicodeCategory(rune)) & 1) != 0)
            || InRanges(rune);
        return named != _inverted;
    }

    /// <summary>The characters of either set.</summary>
    /// <returns>Null where one is the inverse of ranges above U+00FF, which this form cannot hold.</returns>
    public RuneSet? Union(RuneSet other)
    {
        if (_inverted || other._inverted)
        {
            return null;
        }

        var union = new RuneSet { _categories = _categories | other._categories, _ranges = [.. _ranges, .. other._ranges] };
        union.FillBitmap(i => _bitmap[i] | other._bitmap[i]);
        return union;
    }

    /// <summary>The characters of both sets, which must be <see cref="IsSimple"/>.</summary>
    public RuneSet Intersection(RuneSet other)
    {
        var both = new RuneSet { _categories = _categories & other._categories };
        both.FillBitmap(i => _bitmap[i] & other._bitmap[i]);
        return both;
    }

    /// <summary>All other characters.</summary>
    public RuneSet Inverse()
    {
        bool simple = IsSimple;
        var inverse = new RuneSet
        {
            _categories = simple ? ~_categories & AllCategories : _categories,
            _ranges = _ranges,
            _inverted = !simple && !_inverted,
        };
        inverse.FillBitmap(i => ~_bitmap[i]);
        return inverse;
    }

    /// <summary>With the other case of each character by simple case folding.</summary>
    /// <returns>Null where the set has ranges above U+00FF.</returns>
    public RuneSet? FoldCase()
    {
        if (!IsSimple)
        {
            return null;
        }

        RuneSet folded = this;
        for (int value = 0; value < BitmapSize; value++)
        {
            if (Contains(value))
            {
                foreach (int variant in Variants(value))
                {
                    folded = folded.Union(Of(variant))!;
                }
            }
        }

        return folded;
    }

    private static IEnumerable<int> Variants(int value)
    {
        var rune = new Rune(value);
        yield return Rune.ToLowerInvariant(rune).Value;
        yield return Rune.ToUpperInvariant(rune).Value;
        if (value is 's' or 'S')
        {
            yield return 0x17F; // LATIN SMALL LETTER LONG S
        }
        else if (value is 'k' or 'K')
        {
            yield return 0x212A; // KELVIN SIGN
        }
        else if (value is 'å' or 'Å')
        {
            yield return 0x212B; // ANGSTROM SIGN
        }
    }

    private static RuneSet MakeWordCharacters()
    {
        RuneSet set = OfCategory("L")!.Union(OfCategory("M")!)!.Union(OfCategory("Nl")!)!
            .Union(Digits)!.Union(OfCategories(Categories(UnicodeCategory.ConnectorPunctuation)))!;

        // Circled and squared letters are symbols and yet Alphabetic.
        foreach ((int first, int last) in ((int, int)[])[(0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189)])
        {
            set = set.Union(OfRange(first, last))!;
        }

        return set;
    }

    private static uint Categories(params UnicodeCategory[] categories) =>
        categories.Aggregate(0u, (mask, category) => mask | (1u << (int)category));

    private static RuneSet OfCategories(uint categories) =>
        OfRunes(rune => ((categories >> (int)Rune.GetUnicodeCategory(rune)) & 1) != 0, categories);

    private static RuneSet OfRunes(Func<Rune, bool> low, uint categories)
    {
        var set = new RuneSet { _categories = categories };
        for (int value = 0; value < BitmapSize; value++)
        {
            set._bitmap[value >> 6] |= low(new Rune(value)) ? 1UL << (value & 63) : 0;
        }

        return set;
    }

    private void FillBitmap(Func<int, ulong> word)
    {
        for (int i = 0; i < _bitmap.Length; i++)
        {
            _bitmap[i] = word(i);
        }
    }

    private bool InRanges(int rune)
    {
        foreach ((int first, int last) in _ranges)
        {
            if (rune >= first && rune <= last)
            {
                return true;
            }
        }

        return false;
    }
}
