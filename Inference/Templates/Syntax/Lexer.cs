using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Syntax;

/// <summary>Cuts a template into text and the tokens of its tags, and drops the white space that tags drop.</summary>
/// <remarks>
/// Jinja's rules with <c>trim_blocks</c> and <c>lstrip_blocks</c>, which chat templates are written for: one newline
/// right after <c>%}</c> and <c>#}</c> goes, blanks between the start of a line and <c>{%</c> or <c>{#</c> go, and
/// <c>-</c> inside a tag's edge takes all white space on its side; <c>+</c> there keeps what would go.
/// </remarks>
internal sealed partial class Lexer
{
    private const int MostChars = 1 << 22;

    private readonly string _name;
    private readonly string _text;
    private readonly List<Token> _tokens = [];
    private int _at;
    private int _line = 1;

    // Whether what was read last ended with a newline, so that a tag may stand at the start of a line.
    private bool _atLineStart = true;

    private Lexer(string source, string name)
    {
        _name = name;
        string text = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        _text = text.EndsWith('\n') ? text[..^1] : text; // one final newline belongs to the file, not to the text
    }

    /// <summary>All tokens, the last of them <see cref="TokenKind.End"/>.</summary>
    /// <exception cref="TemplateException">A tag is not closed, or has what no expression has.</exception>
    public static IReadOnlyList<Token> Read(string source, string name)
    {
        if (source.Length > MostChars)
        {
            throw new TemplateException(name, 1, $"the template has {source.Length} characters, more than the {MostChars} that are read");
        }

        Lexer lexer = new(source, name);
        lexer.ReadAll();
        return lexer._tokens;
    }

    private void ReadAll()
    {
        while (NextTag() is >= 0 and int tag)
        {
            int open = tag + 2;
            char sign = SignAt(open);
            AddText(_text[_at..tag], sign, strips: _text[tag + 1] != '{');
            MoveTo(sign == '\0' ? open : open + 1);
            _atLineStart = false;
            switch (_text[tag + 1])
            {
                case '#':
                    SkipComment();
                    break;
                case '{':
                    ReadTag(TokenKind.OutputBegin, TokenKind.OutputEnd, "}}");
                    break;
                case '%' when RawEnd() is >= 0 and int end:
                    MoveTo(end);
                    _atLineStart = _text[end - 1] == '\n';
                    ReadRaw();
                    break;
                default:
                    ReadTag(TokenKind.BlockBegin, TokenKind.BlockEnd, "%}");
                    break;
            }
        }

        AddText(_text[_at..], '+', strips: false);
        MoveTo(_text.Length);
        _tokens.Add(new(TokenKind.End, "", _line));
    }

    private int NextTag()
    {
        for (int at = _text.IndexOf('{', _at); at >= 0 && at + 1 < _text.Length; at = _text.IndexOf('{', at + 1))
        {
            if (_text[at + 1] is '%' or '{' or '#')
            {
                return at;
            }
        }

        return -1;
    }

    private char SignAt(int at) => at < _text.Length && _text[at] is '-' or '+' ? _text[at] : '\0';

    // Text before a tag, without what the tag's sign, or the start of a line, takes from its end.
    private void AddText(string text, char sign, bool strips)
    {
        string kept = text;
        if (sign == '-')
        {
            kept = Whitespace.TrimEnd(text);
        }
        else if (sign != '+' && strips)
        {
            int start = text.LastIndexOf('\n') + 1;
            bool lineStart = start > 0 || _atLineStart;
            kept = lineStart && Whitespace.IsAll(text.AsSpan(start)) ? text[..start] : text;
        }

        if (kept.Length > 0)
        {
            _tokens.Add(new(TokenKind.Data, kept, _line));
        }
    }

    private void SkipComment()
    {
        int end = _text.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0)
        {
            throw Error("the comment is not closed by '#}'");
        }

        char sign = end > _at && _text[end - 1] is '-' or '+' ? _text[end - 1] : '\0';
        MoveTo(end + 2);
        CloseTag(sign, trims: true);
    }

    // After a tag's closing brackets: '-' takes all white space, a block takes one newline.
    private void CloseTag(char sign, bool trims)
    {
        int end = _at;
        if (sign == '-')
        {
            end += Whitespace.CountStart(_text.AsSpan(_at));
        }
        else if (sign != '+' && trims && _at < _text.Length && _text[_at] == '\n')
        {
            end++;
        }

        _atLineStart = end > _at && _text[end - 1] == '\n';
        MoveTo(end);
    }

    // Where the text of `{% raw %}` begins, when the tag just opened is that; else -1.
    private int RawEnd()
    {
        int at = AfterWord(_at, "raw");
        if (at < 0)
        {
            return -1;
        }

        bool strips = at < _text.Length && _text[at] == '-';
        at += strips ? 1 : 0;
        if (!_text.AsSpan(at).StartsWith("%}"))
        {
            return -1;
        }

        return at + 2 + (strips ? Whitespace.CountStart(_text.AsSpan(at + 2)) : 0);
    }

    private int AfterWord(int at, string word)
    {
        at += Whitespace.CountStart(_text.AsSpan(at));
        return _text.AsSpan(at).StartsWith(word) ? at + word.Length + Whitespace.CountStart(_text.AsSpan(at + word.Length)) : -1;
    }

    private void ReadRaw()
    {
        for (int open = _text.IndexOf("{%", _at, StringComparison.Ordinal); open >= 0; open = _text.IndexOf("{%", open + 1, StringComparison.Ordinal))
        {
            char sign = SignAt(open + 2);
            int at = AfterWord(open + (sign == '\0' ? 2 : 3), "endraw");
            if (at < 0)
            {
                continue;
            }

            char closing = SignAt(at);
            at += closing == '\0' ? 0 : 1;
            if (_text.AsSpan(at).StartsWith("%}"))
            {
                AddText(_text[_at..open], sign, strips: true);
                MoveTo(at + 2);
                CloseTag(closing, trims: true);
                return;
            }
        }

        throw Error("the raw block is not closed by '{% endraw %}'");
    }

    private void MoveTo(int position)
    {
        _line += _text.AsSpan(_at, position - _at).Count('\n');
        _at = position;
    }

    private TemplateException Error(string problem) => new(_name, _line, problem);
}
