using KvIL.Inference.Files;

namespace KvIL.Inference.Templates.Syntax;

/// <summary>Reads a template's text and statements.</summary>
internal sealed class TemplateParser
{
    private static readonly string[] OtherFiles = ["include", "import", "from", "extends", "block"];

    private readonly TokenStream _tokens;
    private readonly ExpressionParser _expressions;
    private int _loops;

    private TemplateParser(TokenStream tokens)
    {
        _tokens = tokens;
        _expressions = new(tokens);
    }

    /// <summary>The statements of a template.</summary>
    /// <exception cref="TemplateException">The text is not a template, or needs other files.</exception>
    public static IReadOnlyList<Statement> Parse(string source, string name)
    {
        TokenStream tokens = new(Lexer.Read(source, name), name);
        (IReadOnlyList<Statement> body, _) = new TemplateParser(tokens).Body("", 0);
        return body;
    }

    // Statements up to one of the tags that end them, whose name is read. At the top there are none.
    private (IReadOnlyList<Statement> Body, string End) Body(string block, int opened, params string[] ends)
    {
        List<Statement> body = [];
        while (true)
        {
            Token token = _tokens.Next();
            switch (token.Kind)
            {
                case TokenKind.Data:
                    body.Add(new Text(token.Text, token.Line));
                    break;
                case TokenKind.OutputBegin:
                    body.Add(new Output(_expressions.ParseTuple(), token.Line));
                    _tokens.Expect(TokenKind.OutputEnd, "'}}'");
                    break;
                case TokenKind.End when ends.Length == 0:
                    return (body, "");
                case TokenKind.End:
                    throw _tokens.Error($"the block '{block}' is not closed by '{{% {ends[^1]} %}}'", opened);
                default:
                    Token tag = _tokens.Expect(TokenKind.Name, "the name of a statement");
                    if (ends.Contains(tag.Text))
                    {
                        return (body, tag.Text);
                    }

                    body.AddRange(_tokens.Nested(() => Statement(tag)));
                    _tokens.Expect(TokenKind.BlockEnd, "'%}'");
                    break;
            }
        }
    }

    // The body of a block that one tag ends.
    private IReadOnlyList<Statement> BodyOf(Token tag)
    {
        EndTag();
        return Body(tag.Text, tag.Line, "end" + tag.Text).Body;
    }

    private void EndTag()
    {
        _tokens.SkipOperator(":");
        _tokens.Expect(TokenKind.BlockEnd, "'%}'");
    }

    private IReadOnlyList<Statement> Statement(Token tag) => tag.Text switch
    {
        "if" => [If(tag)],
        "for" => [For(tag)],
        "set" => [Set(tag)],
        "macro" => [Macro(tag)],
        "call" => [CallBlock(tag)],
        "filter" => [new FilterBlock(Filters(first: true), BodyOf(tag), tag.Line)],
        "with" => [With(tag)],
        "generation" => [new GenerationBlock(BodyOf(tag), tag.Line)],
        "print" => Print(tag),
        "break" or "continue" when _loops > 0 => [new Jump(tag.Text == "break", tag.Line)],
        "break" or "continue" => throw _tokens.Error($"'{tag.Text}' stands outside a loop", tag.Line),
        _ when OtherFiles.Contains(tag.Text) => throw _tokens.Error(
            $"the statement '{tag.Text}' belongs to templates made of several files, which chat templates cannot be; put everything into one file", tag.Line),
        _ when tag.Text.StartsWith("end", StringComparison.Ordinal) || tag.Text is "else" or "elif" =>
            throw _tokens.Error($"nothing is open that the statement {ModelFileException.Quote(tag.Text)} belongs to", tag.Line),
        _ => throw _tokens.Error($"there is no statement {ModelFileException.Quote(tag.Text)}", tag.Line),
    };

    private If If(Token tag)
    {
        List<(Expression, IReadOnlyList<Statement>)> branches = [];
        string end = "elif";
        while (end == "elif")
        {
            Expression test = _expressions.ParseTuple(conditional: false);
            EndTag();
            (IReadOnlyList<Statement> body, end) = Body("if", tag.Line, "elif", "else", "endif");
            branches.Add((test, body));
        }

        return new(branches, Else("if", tag.Line, end), tag.Line);
    }

    private IReadOnlyList<Statement> Else(string block, int line, string end)
    {
        if (end != "else")
        {
            return [];
        }

        EndTag();
        return Body(block, line, "end" + block).Body;
    }

    private For For(Token tag)
    {
        _loops++;
        Target target = AssignTarget(attributes: false);
        if (!_tokens.SkipName("in"))
        {
            throw _tokens.Expected("'in'");
        }

        Expression items = _expressions.ParseTuple(conditional: false);
        Expression? test = _tokens.SkipName("if") ? _expressions.Parse() : null;
        bool recursive = _tokens.SkipName("recursive");
        EndTag();
        (IReadOnlyList<Statement> body, string end) = Body("for", tag.Line, "else", "endfor");
        _loops--;
        return new(target, items, test, recursive, body, Else("for", tag.Line, end), tag.Line);
    }

    private Statement Set(Token tag)
    {
        Target target = AssignTarget(attributes: true);
        if (_tokens.SkipOperator("="))
        {
            return new Set(target, _expressions.ParseTuple(), tag.Line);
        }

        return new SetBlock(target, Filters(first: false), BodyOf(tag), tag.Line);
    }

    private List<FilterCall> Filters(bool first)
    {
        List<FilterCall> filters = [];
        while (first || _tokens.SkipOperator("|"))
        {
            filters.Add(_expressions.Filter(null));
            first = false;
        }

        return filters;
    }

    private With With(Token tag)
    {
        List<(Target, Expression)> assignments = [];
        while (_tokens.Current.Kind != TokenKind.BlockEnd)
        {
            if (assignments.Count > 0)
            {
                _tokens.ExpectOperator(",");
            }

            Target target = AssignTarget(attributes: false);
            _tokens.ExpectOperator("=");
            assignments.Add((target, _expressions.Parse()));
        }

        return new(assignments, BodyOf(tag), tag.Line);
    }

    private List<Statement> Print(Token tag)
    {
        List<Statement> outputs = [];
        while (_tokens.Current.Kind != TokenKind.BlockEnd)
        {
            if (outputs.Count > 0)
            {
                _tokens.ExpectOperator(",");
            }

            outputs.Add(new Output(_expressions.Parse(), tag.Line));
        }

        return outputs;
    }

    private Macro Macro(Token tag)
    {
        string id = _tokens.Expect(TokenKind.Name, "the name of the macro").Text;
        return new(id, MacroOf(tag, Parameters), tag.Line);
    }

    private CallBlock CallBlock(Token tag)
    {
        Call? call = null;
        MacroSyntax caller = MacroOf(tag, () =>
        {
            List<(string, Expression?)> parameters = _tokens.Current.IsOperator("(") ? Parameters() : [];
            call = _expressions.Parse() as Call ?? throw _tokens.Error("a call block needs the call of a macro, as in '{% call name() %}'", tag.Line);
            return parameters;
        });
        return new(caller, call!, tag.Line);
    }

    private MacroSyntax MacroOf(Token tag, Func<List<(string, Expression?)>> head)
    {
        int loops = _loops;
        _loops = 0; // a macro's body is no part of the loop around it
        _expressions.BeginNames();
        List<(string, Expression?)> parameters = head();
        IReadOnlyList<Statement> body = BodyOf(tag);
        _loops = loops;
        return new(parameters, body, _expressions.EndNames());
    }

    private List<(string, Expression?)> Parameters()
    {
        _tokens.ExpectOperator("(");
        List<(string Name, Expression? Default)> parameters = [];
        while (!_tokens.SkipOperator(")"))
        {
            if (parameters.Count > 0)
            {
                _tokens.ExpectOperator(",");
            }

            string name = _tokens.Expect(TokenKind.Name, "the name of a parameter").Text;
            Expression? value = _tokens.SkipOperator("=") ? _expressions.Parse() : null;
            if (value is null && parameters.Count > 0 && parameters[^1].Default is not null)
            {
                throw _tokens.Error($"the parameter {ModelFileException.Quote(name)} has no default value but follows one that has");
            }

            parameters.Add((name, value));
        }

        return parameters;
    }

    // a, or a.b where it may be an attribute; several with commas between them.
    private Target AssignTarget(bool attributes)
    {
        int line = _tokens.Current.Line;
        List<Target> targets = [SingleTarget(attributes)];
        if (!_tokens.Current.IsOperator(","))
        {
            return targets[0];
        }

        while (_tokens.SkipOperator(",") && (_tokens.Current.Kind == TokenKind.Name || _tokens.Current.IsOperator("(")) && !_tokens.Current.IsName("in"))
        {
            targets.Add(SingleTarget(attributes));
        }

        return new TupleTarget(targets, line);
    }

    private Target SingleTarget(bool attributes)
    {
        if (_tokens.SkipOperator("("))
        {
            Target inner = _tokens.Nested(() => AssignTarget(attributes));
            _tokens.ExpectOperator(")");
            return inner;
        }

        Token token = _tokens.Expect(TokenKind.Name, "the name of a variable");
        if (attributes && _tokens.SkipOperator("."))
        {
            return new AttributeTarget(token.Text, _tokens.Expect(TokenKind.Name, "the name of an attribute").Text, token.Line);
        }

        if (token.Text == "loop" && _loops > 0)
        {
            throw _tokens.Error("'loop' is the loop's own variable, which cannot be set", token.Line);
        }

        bool constant = token.Text is "true" or "false" or "none" or "True" or "False" or "None";
        return constant ? throw _tokens.Error($"'{token.Text}' is a constant, which cannot be set", token.Line) : new NameTarget(token.Text, token.Line);
    }
}
