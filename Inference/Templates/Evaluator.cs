using KvIL.Inference.Files;
using KvIL.Inference.Templates.Builtins;
using KvIL.Inference.Templates.Syntax;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates;

/// <summary>Computes the values of expressions.</summary>
internal sealed class Evaluator(Rendering run)
{
    public JinjaValue Evaluate(Expression expression, Scope scope)
    {
        run.Enter();
        JinjaValue value = expression switch
        {
            Literal literal => literal.Value,
            Name name => scope.Find(name.Id) ?? new UndefinedValue($"{ModelFileException.Quote(name.Id)} is undefined"),
            ItemOf item => Item(item, scope),
            AttributeOf attribute => Attribute(attribute, scope),
            Arithmetic arithmetic => Apply(arithmetic, scope),
            Comparison comparison => Compare(comparison, scope),
            Logical logical => Evaluate(logical.Left, scope) is var left && left.Truth == logical.IsAnd ? Evaluate(logical.Right, scope) : left,
            Not not => BooleanValue.Of(!Evaluate(not.Operand, scope).Truth),
            FilterCall filter => Filter(filter, Evaluate(filter.Input!, scope), scope),
            TestCall test => BooleanValue.Of(Test(test, scope)),
            Call call => Call(call, scope, null),
            Conditional conditional => Choose(conditional, scope),
            SliceOf slice => Slice(slice, scope),
            Concatenation concatenation => Concatenate(concatenation, scope),
            Sequence sequence => new ListValue(EvaluateAll(sequence.Items, scope), sequence.IsTuple),
            Mapping mapping => Map(mapping, scope),
            Signed signed => At(signed, Operators.Sign(run, signed.Negative, Evaluate(signed.Operand, scope))),
            _ => throw new InvalidOperationException(expression.GetType().Name),
        };
        run.Leave();
        return value;
    }

    /// <summary>Calls what an expression gives.</summary>
    /// <param name="call">The call.</param>
    /// <param name="scope">Where its names are looked up.</param>
    /// <param name="caller">What the callee gets as <c>caller</c>; null outside a call block.</param>
    public JinjaValue Call(Call call, Scope scope, JinjaValue? caller)
    {
        JinjaValue callee = Evaluate(call.Callee, scope);
        Arguments arguments = ArgumentsOf(call.Arguments, scope);
        if (caller is not null)
        {
            arguments = arguments with { Named = [.. arguments.Named, ("caller", caller)] };
        }

        run.Line = call.Line;
        return callee switch
        {
            CallableValue function => function.Call(run, arguments),
            LoopValue loop => loop.Recurse(run, arguments),
            UndefinedValue undefined => throw run.Error(undefined.Problem),
            _ => throw run.Error($"a value of type {callee.TypeName} cannot be called"),
        };
    }

    public JinjaValue Filter(FilterCall filter, JinjaValue input, Scope scope)
    {
        Arguments arguments = ArgumentsOf(filter.Arguments, scope);
        run.Line = filter.Line;
        return Filters.Apply(run, filter.Id, input, arguments);
    }

    private bool Test(TestCall test, Scope scope)
    {
        JinjaValue input = Evaluate(test.Input, scope);
        Arguments arguments = ArgumentsOf(test.Arguments, scope);
        run.Line = test.Line;
        return Tests.Apply(run, test.Id, input, arguments);
    }

    private JinjaValue Item(ItemOf item, Scope scope)
    {
        JinjaValue target = Evaluate(item.Target, scope);
        JinjaValue key = Evaluate(item.Key, scope);
        run.Line = item.Line;
        return Access.Item(run, target, key);
    }

    private JinjaValue Attribute(AttributeOf attribute, Scope scope)
    {
        JinjaValue target = Evaluate(attribute.Target, scope);
        run.Line = attribute.Line;
        return Access.Attribute(run, target, attribute.Id);
    }

    private JinjaValue Slice(SliceOf slice, Scope scope)
    {
        JinjaValue target = Evaluate(slice.Target, scope);
        JinjaValue? start = slice.Start is null ? null : Evaluate(slice.Start, scope);
        JinjaValue? stop = slice.Stop is null ? null : Evaluate(slice.Stop, scope);
        JinjaValue? step = slice.Step is null ? null : Evaluate(slice.Step, scope);
        run.Line = slice.Line;
        return Iteration.Slice(run, target, start, stop, step);
    }

    private JinjaValue Apply(Arithmetic arithmetic, Scope scope)
    {
        JinjaValue left = Evaluate(arithmetic.Left, scope);
        JinjaValue right = Evaluate(arithmetic.Right, scope);
        run.Line = arithmetic.Line;
        return Operators.Apply(run, arithmetic.Operator, left, right);
    }

    private BooleanValue Compare(Comparison comparison, Scope scope)
    {
        JinjaValue left = Evaluate(comparison.First, scope);
        foreach ((string op, Expression operand) in comparison.Rest)
        {
            JinjaValue right = Evaluate(operand, scope);
            run.Line = comparison.Line;
            bool holds = op switch
            {
                "==" => Relations.Equal(run, left, right),
                "!=" => !Relations.Equal(run, left, right),
                "in" => Relations.Contains(run, right, left),
                "not in" => !Relations.Contains(run, right, left),
                _ => Relations.Ordered(run, op, left, right),
            };
            if (!holds)
            {
                return BooleanValue.False;
            }

            left = right;
        }

        return BooleanValue.True;
    }

    private JinjaValue Choose(Conditional conditional, Scope scope)
    {
        if (Evaluate(conditional.Test, scope).Truth)
        {
            return Evaluate(conditional.Then, scope);
        }

        return conditional.Else is null
            ? new UndefinedValue("the condition of an 'if' without an 'else' is false")
            : Evaluate(conditional.Else, scope);
    }

    private TextValue Concatenate(Concatenation concatenation, Scope scope)
    {
        string[] parts = [.. EvaluateAll(concatenation.Parts, scope).Select(part => Printer.Str(run, part))];
        run.Line = concatenation.Line;
        run.Make(parts.Sum(part => (long)part.Length));
        return new(string.Concat(parts));
    }

    private DictValue Map(Mapping mapping, Scope scope)
    {
        DictValue dict = new();
        foreach ((Expression key, Expression value) in mapping.Items)
        {
            JinjaValue at = Evaluate(key, scope);
            if (!dict.Set(at, Evaluate(value, scope)))
            {
                run.Line = mapping.Line;
                throw run.Error($"a value of type {at.TypeName} cannot be a key of a dict");
            }
        }

        return dict;
    }

    private List<JinjaValue> EvaluateAll(IReadOnlyList<Expression> expressions, Scope scope)
    {
        List<JinjaValue> values = new(expressions.Count);
        foreach (Expression expression in expressions)
        {
            values.Add(Evaluate(expression, scope));
        }

        return values;
    }

    private Arguments ArgumentsOf(CallSyntax call, Scope scope)
    {
        if (call == CallSyntax.None)
        {
            return Arguments.None;
        }

        List<JinjaValue> positional = EvaluateAll(call.Positional, scope);
        List<(string, JinjaValue)> named = [.. call.Named.Select(argument => (argument.Name, Evaluate(argument.Value, scope)))];
        if (call.Spread is not null)
        {
            positional.AddRange(Iteration.List(run, Evaluate(call.Spread, scope)));
        }

        if (call.NamedSpread is not null)
        {
            DictValue dict = Evaluate(call.NamedSpread, scope) as DictValue ?? throw run.Error("'**' needs a dict");
            named.AddRange(dict.Items.Select(item => (Printer.Str(run, item.Key), item.Value)));
        }

        return new(positional, named);
    }

    private JinjaValue At(Expression expression, JinjaValue value)
    {
        run.Line = expression.Line;
        return value;
    }
}
