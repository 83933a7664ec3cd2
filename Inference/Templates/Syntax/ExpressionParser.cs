namespace KvIL.Inference.Templates.Syntax;

/// <summary>Reads expressions.</summary>
/// <remarks>
/// Loosest first: <c>a if b else c</c>, <c>or</c>, <c>and</c>, <c>not</c>, comparisons, <c>+ -</c>, <c>~</c>,
/// <c>* / // %</c>, <c>**</c>, signs; then <c>.x [x] (x)</c>, and after them filters and tests. As Jinja has it, a sign
/// binds tighter than <c>**</c>, which goes from left to right.
/// </remarks>
internal sealed partial class ExpressionParser(TokenStream tokens)
{
    private static readonly string[] Comparisons = ["==", "!=", "<", "<=", ">", ">="];

    private readonly Stack<HashSet<string>> _names = new();

    /// <summary>Collects the names that expressions read from here on.</summary>
    public void BeginNames() => _names.Push([]);

    /// <summary>The names since <see cref="BeginNames"/>.</summary>
    public IReadOnlySet<string> EndNames()
    {
        HashSet<string> names = _names.Pop();
        if (_names.TryPeek(out HashSet<string>? outer))
        {
            outer.UnionWith(names);
        }

        return names;
    }

    public Expression Parse() => tokens.Nested(Conditional);

    /// <summary>An expression, or several with commas between them.</summary>
    /// <param name="conditional">Whether <c>a if b else c</c> is one; not where an <c>if</c> may follow.</param>
    public Expression ParseTuple(bool conditional = true)
    {
        int line = tokens.Current.Line;
        Expression First() => conditional ? Parse() : tokens.Nested(Or);
        Expression first = First();
        if (!tokens.Current.IsOperator(","))
        {
            return first;
        }

        List<Expression> items = [first];
        while (tokens.SkipOperator(",") && !EndsTuple())
        {
            items.Add(First());
        }

        return new Sequence(items, IsTuple: true, line);
    }

    private bool EndsTuple() => tokens.Current.Kind is TokenKind.OutputEnd or TokenKind.BlockEnd
        || tokens.Current.IsOperator(")") || tokens.Current.IsName("recursive");

    private Expression Conditional()
    {
        int line = tokens.Current.Line;
        Expression value = Or();
        while (tokens.SkipName("if"))
        {
            Expression test = Or();
            value = new Conditional(test, value, tokens.SkipName("else") ? tokens.Nested(Conditional) : null, line);
        }

        return value;
    }

    private Expression Or()
    {
        Expression left = And();
        while (tokens.Current.IsName("or"))
        {
            left = new Logical(IsAnd: false, left, After(And, out int line), line);
        }

        return left;
    }

    private Expression And()
    {
        Expression left = Not();
        while (tokens.Current.IsName("and"))
        {
            left = new Logical(IsAnd: true, left, After(Not, out int line), line);
        }

        return left;
    }

    private Expression Not() => tokens.Current.IsName("not")
        ? tokens.Nested(() => new Not(After(Not, out int line), line))
        : Compare();

    private Expression Compare()
    {
        int line = tokens.Current.Line;
        Expression first = Sum();
        List<(string, Expression)> rest = [];
        while (ComparisonOperator() is string op)
        {
            rest.Add((op, Sum()));
        }

        return rest.Count == 0 ? first : new Comparison(first, rest, line);
    }

    private string? ComparisonOperator()
    {
        if (tokens.Current.Kind == TokenKind.Operator && Array.IndexOf(Comparisons, tokens.Current.Text) >= 0)
        {
            return tokens.Next().Text;
        }

        if (tokens.SkipName("in"))
        {
            return "in";
        }

        if (tokens.Current.IsName("not") && tokens.Following.IsName("in"))
        {
            tokens.Next();
            tokens.Next();
            return "not in";
        }

        return null;
    }

    private Expression Sum() => Chain(Concatenation, "+", "-");

    private Expression Concatenation()
    {
        int line = tokens.Current.Line;
        Expression first = Product();
        if (!tokens.Current.IsOperator("~"))
        {
            return first;
        }

        List<Expression> parts = [first];
        while (tokens.SkipOperator("~"))
        {
            parts.Add(Product());
        }

        return new Concatenation(parts, line);
    }

    private Expression Product() => Chain(Power, "*", "/", "//", "%");

    private Expression Power() => Chain(() => Unary(filters: true), "**");

    private Expression Chain(Func<Expression> operand, params ReadOnlySpan<string> operators)
    {
        Expression left = operand();
        while (tokens.Current.Kind == TokenKind.Operator && operators.Contains(tokens.Current.Text))
        {
            string op = tokens.Current.Text;
            left = new Arithmetic(op, left, After(operand, out int line), line);
        }

        return left;
    }

    private T After<T>(Func<T> parse, out int line)
    {
        line = tokens.Next().Line;
        return parse();
    }

    private Expression Unary(bool filters)
    {
        Expression value;
        if (tokens.Current.IsOperator("-") || tokens.Current.IsOperator("+"))
        {
            bool negative = tokens.Current.Text == "-";
            value = tokens.Nested(() => new Signed(negative, After(() => Unary(filters: false), out int line), line));
        }
        else
        {
            value = Primary();
        }

        value = Postfix(value);
        return filters ? FiltersAndTests(value) : value;
    }
}
