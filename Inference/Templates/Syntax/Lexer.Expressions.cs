using System.Globalization;
using System.Text;
using KvIL.Inference.Files;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Syntax;

/// <summary>The tokens inside <c>{{ }}</c> and <c>{% %}</c>.</summary>
internal sealed partial class Lexer
{
    // The longer ones first, so that "//" is not two "/".
    private static readonly string[] Operators =
    [
        "**", "//", "==", "!=", ">=", "<=",
        "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
    ];

    private void ReadTag(TokenKind begin, TokenKind end, string closing)
    {
        _tokens.Add(new(begin, "", _line));
        Stack<string> open = new();
        while (true)
        {
            MoveTo(_at + Whitespace.CountStart(_text.AsSpan(_at)));
            if (_at == _text.Length)
            {
                throw new TemplateException(_name, _line, $"a tag is not closed by '{closing}'");
            }

            // Inside brackets a '}' closes a bracket.
            if (open.Count == 0 && TagEnd(closing, end == TokenKind.BlockEnd) is (int length, char sign))
            {
                _tokens.Add(new(end, "", _line));
                MoveTo(_at + length);
                CloseTag(sign, trims: end == TokenKind.BlockEnd);
                return;
            }

            Token token = ReadToken();
            if (token.Kind == TokenKind.Operator)
            {
                Balance(open, token);
            }

            _tokens.Add(token);
        }
    }

    private (int Length, char Sign)? TagEnd(string closing, bool takesPlus)
    {
        ReadOnlySpan<char> rest = _text.AsSpan(_at);
        if (rest.StartsWith(closing))
        {
            return (closing.Length, '\0');
        }

        bool signed = rest[0] == '-' || (takesPlus && rest[0] == '+');
        return signed && rest[1..].StartsWith(closing) ? (closing.Length + 1, rest[0]) : null;
    }

    private void Balance(Stack<string> open, Token token)
    {
        switch (token.Text)
        {
            case "(":
                open.Push(")");
                break;
            case "[":
                open.Push("]");
                break;
            case "{":
                open.Push("}");
                break;
            case ")" or "]" or "}" when !open.TryPop(out string? expected) || expected != token.Text:
                throw Error(expected is null ? $"nothing is open that '{token.Text}' closes" : $"expected '{expected}', got '{token.Text}'");
        }
    }

    private Token ReadToken()
    {
        int start = _at;
        int line = _line;
        char c = _text[_at];
        if (c is '\'' or '"')
        {
            return new(TokenKind.String, ReadString(c), line);
        }

        if (char.IsAsciiDigit(c))
        {
            return ReadNumber();
        }

        if (IsNameChar(_at))
        {
            while (_at < _text.Length && IsNameChar(_at))
            {
                _at++;
            }

            return new(TokenKind.Name, _text[start.._at], line);
        }

        foreach (string op in Operators)
        {
            if (_text.AsSpan(_at).StartsWith(op))
            {
                _at += op.Length;
                return new(TokenKind.Operator, op, line);
            }
        }

        throw Error($"the character {ModelFileException.Quote(c.ToString())} means nothing in a tag");
    }

    private bool IsNameChar(int at) => _text[at] == '_' || char.IsLetterOrDigit(_text[at]) || char.IsSurrogate(_text[at])
        || CharUnicodeInfo.GetUnicodeCategory(_text[at]) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
            or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation;

    // 12, 1_000, 0x1f, 0o17, 0b11, 1.5, 1e5; after a dot, as in a.0.1, only whole numbers.
    private Token ReadNumber()
    {
        int start = _at;
        bool afterDot = start > 0 && _text[start - 1] == '.';
        char kind = start + 1 < _text.Length && _text[start] == '0' ? char.ToLowerInvariant(_text[start + 1]) : '\0';
        if (kind is 'x' or 'o' or 'b')
        {
            int digits = Digits(start + 2, kind == 'x' ? char.IsAsciiHexDigit : kind == 'o' ? c => c is >= '0' and <= '7' : c => c is '0' or '1');
            if (digits > start + 2)
            {
                _at = digits;
                return Number(TokenKind.Integer, start);
            }
        }

        int end = Digits(start, char.IsAsciiDigit);
        int whole = end;
        if (!afterDot && end + 1 < _text.Length && _text[end] == '.' && char.IsAsciiDigit(_text[end + 1]))
        {
            end = Digits(end + 1, char.IsAsciiDigit);
        }

        if (!afterDot && end < _text.Length && _text[end] is 'e' or 'E')
        {
            int exponent = end + 1 < _text.Length && _text[end + 1] is '+' or '-' ? end + 2 : end + 1;
            int past = Digits(exponent, char.IsAsciiDigit);
            end = past > exponent ? past : end;
        }

        // A whole number does not start with 0, unless it is all zeros.
        _at = end > whole || _text[start] != '0' ? end : Digits(start, c => c == '0');
        return Number(end > whole ? TokenKind.Float : TokenKind.Integer, start);
    }

    private Token Number(TokenKind kind, int start) => new(kind, _text[start.._at].Replace("_", "", StringComparison.Ordinal), _line);

    private int Digits(int at, Func<char, bool> isDigit)
    {
        while (at < _text.Length && (isDigit(_text[at]) || (_text[at] == '_' && at + 1 < _text.Length && isDigit(_text[at + 1]))))
        {
            at++;
        }

        return at;
    }

    private string ReadString(char quote)
    {
        int end = _at + 1;
        while (end < _text.Length && _text[end] != quote)
        {
            end += _text[end] == '\\' ? 2 : 1;
        }

        if (end >= _text.Length)
        {
            throw Error("a string is not closed");
        }

        string value = Unescape(_text.AsSpan(_at + 1, end - _at - 1));
        MoveTo(end + 1);
        return value;
    }

    // Python's escapes; what is none of them stays as it is, the backslash too.
    private string Unescape(ReadOnlySpan<char> text)
    {
        if (!text.Contains('\\'))
        {
            return text.ToString();
        }

        StringBuilder value = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                value.Append(text[i]);
                continue;
            }

            char c = text[++i];
            int simple = "\\'\"abfnrtv".IndexOf(c);
            if (simple >= 0)
            {
                value.Append("\\'\"\a\b\f\n\r\t\v"[simple]);
            }
            else if (c is 'x' or 'u' or 'U')
            {
                int digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
                AppendCode(value, i + 1 + digits <= text.Length ? text.Slice(i + 1, digits) : default, c);
                i += digits;
            }
            else if (c is >= '0' and <= '7')
            {
                int code = 0;
                int last = Math.Min(i + 3, text.Length);
                for (; i < last && text[i] is >= '0' and <= '7'; i++)
                {
                    code = (8 * code) + text[i] - '0';
                }

                i--;
                value.Append((char)code);
            }
            else if (c == 'N')
            {
                throw Error("characters by name, as in '\\N{...}', are not supported; write \\u and the code");
            }
            else if (c != '\n')
            {
                value.Append('\\').Append(c);
            }
        }

        return value.ToString();
    }

    private void AppendCode(StringBuilder value, ReadOnlySpan<char> digits, char kind)
    {
        if (!uint.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint code) || code > 0x10FFFF)
        {
            throw Error($"a string has '\\{kind}' without the code of a character after it");
        }

        _ = code <= char.MaxValue ? value.Append((char)code) : value.Append(char.ConvertFromUtf32((int)code));
    }
}
