using System.Text;

namespace KvIL.Inference.Tokenization.Patterns;

/// <summary>Classes and escapes: everything that stands for a set of characters.</summary>
internal sealed partial class PatternParser
{
    private RuneSet ReadClass()
    {
        if (++_depth > MaxDepth)
        {
            throw Refuse($"classes nested deeper than {MaxDepth}");
        }

        bool inverted = Take('^');
        RuneSet? whole = null;
        RuneSet set = RuneSet.Empty;
        bool first = true;
        while (first || Next != ']')
        {
            first = false;
            if (Next == '&' && _at + 1 < _pattern.Length && _pattern[_at + 1] == '&')
            {
                _at += 2;
                whole = Intersect(whole, set);
                set = RuneSet.Empty;
                continue;
            }

            set = set.Union(Fold(ReadClassPart())) ?? throw Refuse("a class with another one's inverse in it");
        }

        _at++;
        _depth--;
        set = Intersect(whole, set);
        return inverted ? set.Inverse() : set;
    }

    private RuneSet Intersect(RuneSet? whole, RuneSet set) => whole is null ? set
        : whole.IsSimple && set.IsSimple ? whole.Intersection(set)
        : throw Refuse("an intersection of classes that have ranges above U+00FF");

    private RuneSet ReadClassPart()
    {
        if (Next < 0)
        {
            throw Refuse("a '[' without ']'");
        }

        if (Take('['))
        {
            return Next == ':' ? throw Refuse("a POSIX class") : ReadClass();
        }

        (int? first, RuneSet? set) = ReadClassCharacter();
        if (first is null || Next != '-' || _at + 1 >= _pattern.Length || _pattern[_at + 1] == ']')
        {
            return set ?? RuneSet.Of(first!.Value);
        }

        _at++;
        (int? last, _) = ReadClassCharacter();
        return last is { } end && end >= first ? RuneSet.OfRange(first.Value, end) : throw Refuse("this range of characters");
    }

    private (int? Rune, RuneSet? Set) ReadClassCharacter()
    {
        int rune = _pattern[_at++];
        if (rune != '\\')
        {
            return (rune, null);
        }

        int start = _at;
        if (ReadCharacter() is { } escaped)
        {
            return (escaped, null);
        }

        _at = start;
        return (null, ReadEscape(inClass: true));
    }

    // After the backslash.
    private RuneSet ReadEscape(bool inClass)
    {
        int kind = Next;
        switch (kind)
        {
            case 's' or 'd' or 'w':
                _at++;
                return kind == 's' ? RuneSet.WhiteSpace : kind == 'd' ? RuneSet.Digits : RuneSet.WordCharacters;
            case 'S' or 'D' or 'W':
                _at++;
                return (kind == 'S' ? RuneSet.WhiteSpace : kind == 'D' ? RuneSet.Digits : RuneSet.WordCharacters).Inverse();
            case 'p' or 'P':
                _at++;
                return ReadProperty(kind == 'P');
            default:
                return ReadCharacter() is { } rune ? RuneSet.Of(rune)
                    : throw Refuse(inClass ? "this escape in a class" : "this escape");
        }
    }

    private RuneSet ReadProperty(bool inverted)
    {
        if (!Take('{'))
        {
            throw Refuse(@"a \p without its braces");
        }

        inverted ^= Take('^');
        var name = new StringBuilder();
        while (Next is not (-1 or '}') && name.Length < 40)
        {
            name.Append(new Rune(_pattern[_at++]).ToString());
        }

        if (!Take('}') || RuneSet.OfCategory(name.ToString()) is not { } set)
        {
            throw Refuse($"the property {Files.ModelFileException.Quote(name.ToString())}");
        }

        return inverted ? set.Inverse() : set;
    }
}
