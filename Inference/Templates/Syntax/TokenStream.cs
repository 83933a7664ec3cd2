namespace KvIL.Inference.Templates.Syntax;

/// <summary>The tokens of a template, one after the other, and how deep the parser is.</summary>
internal sealed class TokenStream(IReadOnlyList<Token> tokens, string name)
{
    // Far beyond what people write; below what the stack holds.
    private const int MostDepth = 200;

    private int _at;
    private int _depth;

    public Token Current => tokens[_at];

    public Token Following => tokens[Math.Min(_at + 1, tokens.Count - 1)];

    /// <summary>The current token; moves on.</summary>
    public Token Next()
    {
        Token token = Current;
        _at = Math.Min(_at + 1, tokens.Count - 1);
        return token;
    }

    public bool SkipOperator(string text) => Skip(Current.IsOperator(text));

    public bool SkipName(string text) => Skip(Current.IsName(text));

    public Token Expect(TokenKind kind, string what) => Current.Kind == kind ? Next() : throw Expected(what);

    public void ExpectOperator(string text)
    {
        if (!SkipOperator(text))
        {
            throw Expected($"'{text}'");
        }
    }

    /// <summary>Runs a part of the parser one level deeper.</summary>
    /// <exception cref="TemplateException">There is no level left.</exception>
    public T Nested<T>(Func<T> parse)
    {
        if (++_depth > MostDepth)
        {
            throw Error($"blocks, brackets and signs are nested deeper than {MostDepth} levels");
        }

        T result = parse();
        _depth--;
        return result;
    }

    public TemplateException Expected(string what) => Error($"expected {what}, got {Current}");

    public TemplateException Error(string problem, int? line = null) => new(name, line ?? Current.Line, problem);

    private bool Skip(bool skips)
    {
        if (skips)
        {
            Next();
        }

        return skips;
    }
}
