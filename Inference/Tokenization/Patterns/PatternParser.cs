using System.Globalization;
using System.Text;

namespace KvIL.Inference.Tokenization.Patterns;

/// <summary>Reads a pattern in Oniguruma's syntax, as far as tokenizers use it; refuses the rest by name.</summary>
/// <remarks>
/// Characters, classes, <c>\p{...}</c> of general categories, <c>\s \d \w</c>, groups, alternation, <c>(?i:...)</c>,
/// repetition (greedy, lazy, and possessive of one character), look-ahead, and anchors. Not: back references, look-behind,
/// scripts, atomic groups, endless repetition of what may be empty.
/// </remarks>
internal sealed partial class PatternParser
{
    private const int MaxLength = 1 << 14;
    private const int MaxDepth = 64;
    private const int MaxCount = 1024;

    private readonly int[] _pattern;
    private int _at;
    private int _depth;
    private bool _ignoreCase;

    private PatternParser(string pattern) => _pattern = [.. pattern.EnumerateRunes().Select(rune => rune.Value)];

    private int Next => _at < _pattern.Length ? _pattern[_at] : -1;

    /// <summary>The tree of a pattern.</summary>
    /// <exception cref="PatternException">It cannot be read, or has a part that is not supported.</exception>
    public static PatternNode Parse(string pattern)
    {
        if (pattern.Length > MaxLength)
        {
            throw new PatternException($"it has {pattern.Length} characters, more than {MaxLength}");
        }

        var parser = new PatternParser(pattern);
        PatternNode node = parser.ReadChoice();
        return parser.Next < 0 ? node : throw parser.Refuse("a ')' without '('");
    }

    private PatternNode ReadChoice()
    {
        if (++_depth > MaxDepth)
        {
            throw Refuse($"groups nested deeper than {MaxDepth}");
        }

        bool ignoreCase = _ignoreCase;
        List<PatternNode> parts = [ReadSequence()];
        while (Take('|'))
        {
            parts.Add(ReadSequence());
        }

        _ignoreCase = ignoreCase;
        _depth--;
        return parts is [PatternNode only] ? only : new PatternNode.Choice(parts);
    }

    private PatternNode ReadSequence()
    {
        var parts = new List<PatternNode>();
        while (Next is not (-1 or '|' or ')'))
        {
            if (ReadAtom() is { } atom)
            {
                parts.Add(ReadRepetition(atom));
            }
        }

        return parts is [PatternNode only] ? only : new PatternNode.Sequence(parts);
    }

    private PatternNode ReadRepetition(PatternNode part)
    {
        (int Least, int? Most)? counts = Next switch
        {
            '?' => (0, 1),
            '*' => (0, null),
            '+' => (1, null),
            '{' => ReadCounts(),
            _ => null,
        };
        if (counts is not { } c)
        {
            return part;
        }

        bool counted = _pattern[_at++] == '}';
        Greed greed = Next switch
        {
            '?' => Greed.Lazy,
            '+' => Greed.Possessive,
            _ => Greed.Greedy,
        };
        if (greed != Greed.Greedy)
        {
            _at++;
        }

        if (part is PatternNode.At or PatternNode.Look
            || (counted && greed != Greed.Greedy)
            || (greed == Greed.Possessive && part is not PatternNode.OneOf)
            || (c.Most is null && CanBeEmpty(part))
            || Next is '?' or '*' or '+')
        {
            throw Refuse("a repetition of this kind");
        }

        return new PatternNode.Repeat(part, c.Least, c.Most, greed);
    }

    private static bool CanBeEmpty(PatternNode node) => node switch
    {
        PatternNode.OneOf => false,
        PatternNode.Sequence sequence => sequence.Parts.All(CanBeEmpty),
        PatternNode.Choice choice => choice.Parts.Any(CanBeEmpty),
        PatternNode.Repeat repeat => repeat.Least == 0 || CanBeEmpty(repeat.Part),
        _ => true,
    };

    // Leaves the place at the closing brace.
    private (int Least, int? Most)? ReadCounts()
    {
        int open = _at++;
        int? least = ReadNumber();
        int? most = least;
        if (Take(','))
        {
            most = ReadNumber();
            least ??= most is null ? null : 0;
        }

        if (Next != '}' || least is null)
        {
            _at = open;
            throw Refuse("a '{' that is not a count; write it as \\{");
        }

        return least > MaxCount || most > MaxCount || most < least ? throw Refuse("this count") : (least.Value, most);
    }

    private int? ReadNumber()
    {
        int start = _at;
        int value = 0;
        while (Next is >= '0' and <= '9' && _at - start < 6)
        {
            value = (value * 10) + _pattern[_at++] - '0';
        }

        return _at == start ? null : value;
    }

    private PatternNode? ReadAtom()
    {
        int rune = _pattern[_at++];
        switch (rune)
        {
            case '(':
                return ReadGroup();
            case '[':
                return new PatternNode.OneOf(ReadClass());
            case '.':
                return new PatternNode.OneOf(RuneSet.AnyButLineFeed);
            case '^':
                return new PatternNode.At(Anchor.LineStart);
            case '$':
                return new PatternNode.At(Anchor.LineEnd);
            case '?' or '*' or '+' or '{':
                throw Refuse("a repetition of nothing");
            case '\\':
                return ReadAnchor() is { } anchor
                    ? new PatternNode.At(anchor)
                    : new PatternNode.OneOf(Fold(ReadEscape(inClass: false)));
            default:
                return new PatternNode.OneOf(Fold(RuneSet.Of(rune)));
        }
    }

    private Anchor? ReadAnchor()
    {
        Anchor? anchor = Next switch
        {
            'b' => Anchor.WordBoundary,
            'B' => Anchor.NoWordBoundary,
            'A' => Anchor.TextStart,
            'z' => Anchor.TextEnd,
            _ => null,
        };
        _at += anchor is null ? 0 : 1;
        return anchor;
    }

    // After the bracket; null for a (?i) that holds for the rest of the group.
    private PatternNode? ReadGroup()
    {
        bool ignoreCase = _ignoreCase;
        bool? look = null;
        if (Take('?'))
        {
            switch (Next)
            {
                case ':':
                    _at++;
                    break;
                case '=' or '!':
                    look = _pattern[_at++] == '=';
                    break;
                case 'i' or '-':
                    bool on = !Take('-');
                    if (!Take('i') || Next is not (':' or ')'))
                    {
                        throw Refuse("these options of a group");
                    }

                    _ignoreCase = on;
                    if (_pattern[_at++] == ')')
                    {
                        return null;
                    }

                    break;
                default:
                    throw Refuse("a group of this kind");
            }
        }

        PatternNode inner = ReadChoice();
        _ignoreCase = ignoreCase;
        if (!Take(')'))
        {
            throw Refuse("a '(' without ')'");
        }

        // A group stands for itself, so that a repetition after it takes the whole of it.
        return look is { } wanted ? new PatternNode.Look(inner, wanted) : inner;
    }

    // The character of an escape, after the backslash; null where the escape is another.
    private int? ReadCharacter()
    {
        int rune = Next < 0 ? throw Refuse("a backslash at the end") : _pattern[_at++];
        return rune switch
        {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'f' => '\f',
            'v' => '\v',
            'a' => '\a',
            'e' => 0x1B,
            'u' => ReadHex(4),
            'x' when Take('{') => ReadHexInBraces(),
            'x' => ReadHex(2),
            _ when rune < 0x80 && char.IsAsciiLetterOrDigit((char)rune) => null,
            _ => rune,
        };
    }

    private int ReadHexInBraces()
    {
        int digits = Array.IndexOf(_pattern, '}', _at) - _at;
        int value = ReadHex(digits is >= 1 and <= 6 ? digits : throw Refuse("this character number"));
        _at++;
        return value;
    }

    private int ReadHex(int digits)
    {
        string text = string.Concat(_pattern.Skip(_at).Take(digits).Select(rune => new Rune(rune).ToString()));
        _at += digits;
        return text.Length == digits && int.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value)
            && Rune.IsValid(value)
            ? value
            : throw Refuse("this character number");
    }

    private RuneSet Fold(RuneSet set) => !_ignoreCase ? set
        : set.FoldCase() ?? throw Refuse("(?i) over characters above U+00FF");

    private bool Take(int rune)
    {
        if (Next != rune)
        {
            return false;
        }

        _at++;
        return true;
    }

    private PatternException Refuse(string what) => new($"{what} at its character {Math.Min(_at, _pattern.Length)} is not supported");
}
