using System.Globalization;
using System.Numerics;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Syntax;

/// <summary>What operators stand between: literals and names, with what follows them directly.</summary>
internal sealed partial class ExpressionParser
{
    public FilterCall Filter(Expression? input)
    {
        int line = tokens.Current.Line;
        string id = DottedName("the name of a filter");
        return new(input, id, tokens.Current.IsOperator("(") ? Arguments() : CallSyntax.None, line);
    }

    private Expression Primary()
    {
        Token token = tokens.Next();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return Constant(token.Text) is { } constant ? new Literal(constant, token.Line) : ReadName(token);
            case TokenKind.String:
                string text = token.Text;
                if (tokens.Current.Kind == TokenKind.String)
                {
                    List<string> parts = [text];
                    while (tokens.Current.Kind == TokenKind.String)
                    {
                        parts.Add(tokens.Next().Text);
                    }

                    text = string.Concat(parts);
                }

                return new Literal(new TextValue(text), token.Line);
            case TokenKind.Integer:
                return new Literal(new IntegerValue(Integer(token)), token.Line);
            case TokenKind.Float:
                return new Literal(new FloatValue(double.Parse(token.Text, CultureInfo.InvariantCulture)), token.Line);
            case TokenKind.Operator when token.Text == "(":
                return Parenthesized(token.Line);
            case TokenKind.Operator when token.Text == "[":
                return new Sequence(Items("]", Parse), IsTuple: false, token.Line);
            case TokenKind.Operator when token.Text == "{":
                return new Mapping(Items("}", Pair), token.Line);
            default:
                throw tokens.Error($"expected a value, got {token}", token.Line);
        }
    }

    private Name ReadName(Token token)
    {
        if (_names.TryPeek(out HashSet<string>? names))
        {
            names.Add(token.Text);
        }

        return new(token.Text, token.Line);
    }

    private static JinjaValue? Constant(string name) => name switch
    {
        "true" or "True" => BooleanValue.True,
        "false" or "False" => BooleanValue.False,
        "none" or "None" => NoneValue.Instance,
        _ => null,
    };

    private BigInteger Integer(Token token)
    {
        string text = token.Text;
        int radix = text.Length < 2 ? 10 : char.ToLowerInvariant(text[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 };
        return PythonNumber.ParseDigits(radix == 10 ? text : text[2..], radix)
            ?? throw tokens.Error("a number has more digits than are read", token.Line);
    }

    private Expression Parenthesized(int line)
    {
        if (tokens.SkipOperator(")"))
        {
            return new Sequence([], IsTuple: true, line);
        }

        Expression value = ParseTuple();
        tokens.ExpectOperator(")");
        return value;
    }

    private (Expression, Expression) Pair()
    {
        Expression key = Parse();
        tokens.ExpectOperator(":");
        return (key, Parse());
    }

    private List<T> Items<T>(string closing, Func<T> parse)
    {
        List<T> items = [];
        while (!tokens.SkipOperator(closing))
        {
            if (items.Count > 0)
            {
                tokens.ExpectOperator(",");
                if (tokens.SkipOperator(closing))
                {
                    break;
                }
            }

            items.Add(parse());
        }

        return items;
    }

    private Expression Postfix(Expression value)
    {
        while (tokens.Current.Kind == TokenKind.Operator)
        {
            switch (tokens.Current.Text)
            {
                case ".":
                    value = Attribute(value);
                    break;
                case "[":
                    value = Subscript(value);
                    break;
                case "(":
                    value = CallOf(value);
                    break;
                default:
                    return value;
            }
        }

        return value;
    }

    private Expression Attribute(Expression target)
    {
        int line = tokens.Next().Line;
        return tokens.Current.Kind switch
        {
            TokenKind.Name => new AttributeOf(target, tokens.Next().Text, line),
            TokenKind.Integer => new ItemOf(target, new Literal(new IntegerValue(Integer(tokens.Current)), tokens.Next().Line), line),
            _ => throw tokens.Expected("a name or a number after '.'"),
        };
    }

    private Expression Subscript(Expression target)
    {
        int line = tokens.Next().Line;
        Expression? start = tokens.Current.IsOperator(":") ? null : Parse();
        if (start is not null && tokens.Current.IsOperator(","))
        {
            List<Expression> key = [start];
            while (tokens.SkipOperator(","))
            {
                key.Add(Parse());
            }

            start = new Sequence(key, IsTuple: true, line);
        }

        if (start is not null && tokens.SkipOperator("]"))
        {
            return new ItemOf(target, start, line);
        }

        tokens.ExpectOperator(":");
        Expression? Bound() => tokens.Current.IsOperator(":") || tokens.Current.IsOperator("]") ? null : Parse();
        Expression? stop = Bound();
        Expression? step = tokens.SkipOperator(":") ? Bound() : null;
        tokens.ExpectOperator("]");
        return new SliceOf(target, start, stop, step, line);
    }

    private Expression FiltersAndTests(Expression value)
    {
        while (true)
        {
            if (tokens.SkipOperator("|"))
            {
                value = Filter(value);
            }
            else if (tokens.SkipName("is"))
            {
                value = Test(value);
            }
            else if (tokens.Current.IsOperator("("))
            {
                value = CallOf(value);
            }
            else
            {
                return value;
            }
        }
    }

    private Expression Test(Expression input)
    {
        int line = tokens.Current.Line;
        bool negated = tokens.SkipName("not");
        string id = DottedName("the name of a test");
        CallSyntax arguments = CallSyntax.None;
        if (tokens.Current.IsOperator("("))
        {
            arguments = Arguments();
        }
        else if (tokens.Current.IsName("is"))
        {
            throw tokens.Error("tests cannot follow each other; put the first one in parentheses");
        }
        else if (TakesOperand(tokens.Current))
        {
            arguments = CallSyntax.None with { Positional = [Postfix(Primary())] };
        }

        TestCall test = new(input, id, arguments, line);
        return negated ? new Not(test, line) : test;
    }

    // `x is divisibleby 3`, but `x is defined and y`.
    private static bool TakesOperand(Token token) => token.Kind switch
    {
        TokenKind.Name => token.Text is not ("else" or "or" or "and"),
        TokenKind.String or TokenKind.Integer or TokenKind.Float => true,
        _ => token.IsOperator("[") || token.IsOperator("{"),
    };

    private string DottedName(string what)
    {
        string name = tokens.Expect(TokenKind.Name, what).Text;
        while (tokens.SkipOperator("."))
        {
            name += "." + tokens.Expect(TokenKind.Name, what).Text;
        }

        return name;
    }

    private Call CallOf(Expression callee)
    {
        int line = tokens.Current.Line;
        return new(callee, Arguments(), line);
    }

    private CallSyntax Arguments()
    {
        tokens.ExpectOperator("(");
        List<Expression> positional = [];
        List<(string, Expression)> named = [];
        HashSet<string> names = [];
        Expression? spread = null;
        Expression? namedSpread = null;
        Items(")", () =>
        {
            if (namedSpread is not null)
            {
                throw tokens.Error("nothing may follow the argument with '**'");
            }

            if (tokens.SkipOperator("*"))
            {
                spread = spread is null ? Parse() : throw tokens.Error("a call has two arguments with '*'");
            }
            else if (tokens.SkipOperator("**"))
            {
                namedSpread = Parse();
            }
            else if (tokens.Current.Kind == TokenKind.Name && tokens.Following.IsOperator("="))
            {
                string name = tokens.Next().Text;
                if (!names.Add(name))
                {
                    throw tokens.Error($"a call has two arguments {Files.ModelFileException.Quote(name)}");
                }

                tokens.Next();
                named.Add((name, Parse()));
            }
            else if (named.Count > 0 || spread is not null)
            {
                throw tokens.Error("an argument without a name follows one with a name");
            }
            else
            {
                positional.Add(Parse());
            }

            return 0;
        });
        return new(positional, named, spread, namedSpread);
    }
}
