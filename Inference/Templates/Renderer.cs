using System.Text;
using KvIL.Inference.Files;
using KvIL.Inference.Templates.Syntax;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates;

/// <summary>Runs statements, which write text.</summary>
internal sealed class Renderer
{
    private readonly Rendering _run;
    private readonly Evaluator _evaluator;

    public Renderer(Rendering run)
    {
        _run = run;
        _evaluator = new(run);
    }

    private enum Flow
    {
        Onward,
        Break,
        Continue,
    }

    /// <summary>The text that the statements write.</summary>
    public string Render(IReadOnlyList<Statement> body, Scope scope)
    {
        StringBuilder output = new();
        Run(body, scope, output);
        return output.ToString();
    }

    private Flow Run(IReadOnlyList<Statement> body, Scope scope, StringBuilder output)
    {
        foreach (Statement statement in body)
        {
            _run.Line = statement.Line;
            if (Run(statement, scope, output) is not Flow.Onward and Flow flow)
            {
                return flow;
            }
        }

        return Flow.Onward;
    }

    private Flow Run(Statement statement, Scope scope, StringBuilder output)
    {
        _run.Enter();
        Flow flow = Flow.Onward;
        switch (statement)
        {
            case Text text:
                Write(text.Value, output);
                break;
            case Output written:
                Write(Printer.Str(_run, _evaluator.Evaluate(written.Value, scope)), output);
                break;
            case If choice:
                flow = Choose(choice, scope, output);
                break;
            case For loop:
                RunLoop(loop, scope, output);
                break;
            case Jump jump:
                flow = jump.Breaks ? Flow.Break : Flow.Continue;
                break;
            case Set set:
                Assign(set.Target, _evaluator.Evaluate(set.Value, scope), scope);
                break;
            case SetBlock block:
                flow = Capture(block.Body, block.Filters, scope, value => Assign(block.Target, value, scope));
                break;
            case FilterBlock block:
                flow = Capture(block.Body, block.Filters, scope, value => Write(Printer.Str(_run, value), output));
                break;
            case With with:
                flow = RunWith(with, scope, output);
                break;
            case GenerationBlock generation:
                Write(Render(generation.Body, new(scope)), output);
                break;
            case Macro macro:
                scope.Set(macro.Id, Define(macro.Id, macro.Syntax, scope));
                break;
            case CallBlock block:
                JinjaValue caller = Define("caller", block.Caller, scope);
                Write(Printer.Str(_run, _evaluator.Call(block.Call, scope, caller)), output);
                break;
        }

        _run.Leave();
        return flow;
    }

    private void Write(string text, StringBuilder output)
    {
        _run.Make(text.Length);
        if (output.Length + text.Length > Rendering.MostLength)
        {
            throw _run.Error("the template makes more text than is allowed");
        }

        output.Append(text);
    }

    private Flow Choose(If choice, Scope scope, StringBuilder output)
    {
        foreach ((Expression test, IReadOnlyList<Statement> body) in choice.Branches)
        {
            if (_evaluator.Evaluate(test, scope).Truth)
            {
                return Run(body, scope, output);
            }
        }

        return Run(choice.Else, scope, output);
    }

    private void RunLoop(For loop, Scope scope, StringBuilder output)
    {
        JinjaValue items = _evaluator.Evaluate(loop.Items, scope);
        if (loop.IsRecursive)
        {
            Write(Recurse(loop, items, scope, depth: 0), output);
        }
        else
        {
            RunLoop(loop, items, scope, output, depth: 0, recurse: null);
        }
    }

    private string Recurse(For loop, JinjaValue items, Scope scope, int depth)
    {
        StringBuilder output = new();
        RunLoop(loop, items, scope, output, depth, (inner, outer) => new TextValue(Recurse(loop, inner, scope, outer.Depth + 1)));
        return output.ToString();
    }

    private void RunLoop(
        For loop, JinjaValue items, Scope scope, StringBuilder output, int depth, Func<JinjaValue, LoopValue, JinjaValue>? recurse)
    {
        _run.Enter();
        LoopValue state = new(Passing(loop, Iteration.Of(_run, items), scope), depth, recurse);
        while (state.MoveNext())
        {
            Scope inner = new(scope);
            inner.Set("loop", state);
            Assign(loop.Target, state.Current!, inner);
            if (Run(loop.Body, inner, output) == Flow.Break)
            {
                break;
            }
        }

        if (state.Index < 0)
        {
            Run(loop.Else, new(scope), output);
        }

        _run.Leave();
    }

    // The items that the loop's test lets through, each tested when the loop gets there.
    private IEnumerable<JinjaValue> Passing(For loop, IEnumerable<JinjaValue> items, Scope scope)
    {
        foreach (JinjaValue item in items)
        {
            if (loop.Test is not null)
            {
                Scope inner = new(scope);
                Assign(loop.Target, item, inner);
                if (!_evaluator.Evaluate(loop.Test, inner).Truth)
                {
                    continue;
                }
            }

            yield return item;
        }
    }

    private Flow Capture(IReadOnlyList<Statement> body, IReadOnlyList<FilterCall> filters, Scope scope, Action<JinjaValue> use)
    {
        StringBuilder output = new();
        Scope inner = new(scope);
        Flow flow = Run(body, inner, output);
        if (flow == Flow.Onward)
        {
            use(filters.Aggregate((JinjaValue)new TextValue(output.ToString()), (value, filter) => _evaluator.Filter(filter, value, inner)));
        }

        return flow;
    }

    private Flow RunWith(With with, Scope scope, StringBuilder output)
    {
        Scope inner = new(scope);
        foreach ((Target target, Expression value) in with.Assignments)
        {
            Assign(target, _evaluator.Evaluate(value, scope), inner);
        }

        return Run(with.Body, inner, output);
    }

    private void Assign(Target target, JinjaValue value, Scope scope)
    {
        switch (target)
        {
            case NameTarget name:
                scope.Set(name.Id, value);
                break;
            case AttributeTarget attribute:
                NamespaceValue space = scope.Find(attribute.Namespace) as NamespaceValue
                    ?? throw _run.Error($"{ModelFileException.Quote(attribute.Namespace)} is no namespace, so its attributes cannot be set");
                space.Attributes.Set(attribute.Id, value);
                break;
            case TupleTarget tuple:
                List<JinjaValue> items = [.. Iteration.Of(_run, value).Take(tuple.Items.Count + 1)];
                if (items.Count != tuple.Items.Count)
                {
                    throw _run.Error($"expected {tuple.Items.Count} values to set as many variables, got {(items.Count > tuple.Items.Count ? "more" : "fewer")}");
                }

                for (int i = 0; i < items.Count; i++)
                {
                    Assign(tuple.Items[i], items[i], scope);
                }

                break;
        }
    }

    private MacroValue Define(string name, MacroSyntax macro, Scope scope) => new(name, (run, arguments) =>
    {
        Scope inner = new(scope);
        Bind(name, macro, arguments, inner);
        return new TextValue(Render(macro.Body, inner));
    });

    private void Bind(string name, MacroSyntax macro, Arguments arguments, Scope inner)
    {
        string quoted = ModelFileException.Quote(name);
        int declared = macro.Parameters.Count;
        Dictionary<string, JinjaValue> named = [];
        foreach ((string key, JinjaValue value) in arguments.Named)
        {
            named[key] = value;
        }

        if (arguments.Positional.Count > declared && !macro.Names.Contains("varargs"))
        {
            throw _run.Error($"the macro {quoted} takes at most {declared} arguments, got {arguments.Positional.Count}");
        }

        for (int i = 0; i < declared; i++)
        {
            (string parameter, Expression? otherwise) = macro.Parameters[i];
            inner.Set(
                parameter,
                i < arguments.Positional.Count ? arguments.Positional[i]
                : named.Remove(parameter, out JinjaValue? given) ? given
                : otherwise is not null ? _evaluator.Evaluate(otherwise, inner)
                : new UndefinedValue($"the parameter {ModelFileException.Quote(parameter)} was not given"));
        }

        if (macro.Names.Contains("caller") && !macro.Parameters.Any(parameter => parameter.Name == "caller"))
        {
            inner.Set("caller", named.Remove("caller", out JinjaValue? caller) ? caller : new UndefinedValue("there is no caller, as the macro was not called by a call block"));
        }

        DictValue rest = new();
        foreach ((string key, JinjaValue value) in named)
        {
            rest.Set(key, macro.Names.Contains("kwargs") ? value : throw _run.Error($"the macro {quoted} has no argument {ModelFileException.Quote(key)}"));
        }

        inner.Set("kwargs", rest);
        inner.Set("varargs", new ListValue([.. arguments.Positional.Skip(declared)], isTuple: true));
    }
}
