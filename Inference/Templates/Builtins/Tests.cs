using System.Text;
using KvIL.Inference.Files;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>What stands after <c>is</c>.</summary>
internal static class Tests
{
    private static readonly Dictionary<string, Func<JinjaValue, bool>> Simple = new()
    {
        ["defined"] = value => value is not UndefinedValue,
        ["undefined"] = value => value is UndefinedValue,
        ["none"] = value => value is NoneValue,
        ["boolean"] = value => value is BooleanValue,
        ["true"] = value => value is BooleanValue { Value: true },
        ["false"] = value => value is BooleanValue { Value: false },
        ["integer"] = value => value is IntegerValue,
        ["float"] = value => value is FloatValue,
        ["number"] = value => value is IntegerValue or FloatValue or BooleanValue,
        ["string"] = value => value is TextValue,
        ["mapping"] = value => value is DictValue,
        ["iterable"] = Iteration.Has,
        ["sequence"] = value => value is ISequence or DictValue or UndefinedValue,
        ["callable"] = value => value is CallableValue or LoopValue or UndefinedValue,
        ["escaped"] = value => value is TextValue { IsSafe: true },
    };

    private static readonly Dictionary<string, string> Comparisons = new()
    {
        ["<"] = "<", ["lt"] = "<", ["lessthan"] = "<", ["<="] = "<=", ["le"] = "<=",
        [">"] = ">", ["gt"] = ">", ["greaterthan"] = ">", [">="] = ">=", ["ge"] = ">=",
    };

    private static readonly Dictionary<string, Func<Rendering, JinjaValue, JinjaValue, bool>> WithOperand = new()
    {
        ["=="] = Relations.Equal,
        ["eq"] = Relations.Equal,
        ["equalto"] = Relations.Equal,
        ["!="] = (run, a, b) => !Relations.Equal(run, a, b),
        ["ne"] = (run, a, b) => !Relations.Equal(run, a, b),
        ["in"] = (run, a, b) => Relations.Contains(run, b, a),
        ["sameas"] = Same,
        ["divisibleby"] = (run, a, b) => !Operators.Apply(run, "%", a, b).Truth,
    };

    public static bool Knows(string name) => Simple.ContainsKey(name) || WithOperand.ContainsKey(name) || Comparisons.ContainsKey(name)
        || name is "odd" or "even" or "lower" or "upper" or "filter" or "test";

    /// <summary>Runs a test.</summary>
    /// <exception cref="TemplateException">There is no test of the name, or it cannot be asked of the value.</exception>
    public static bool Apply(Rendering run, string name, JinjaValue value, Arguments arguments)
    {
        if (Simple.TryGetValue(name, out Func<JinjaValue, bool>? simple))
        {
            arguments.Bind(run, name, 0);
            return simple(value);
        }

        if (Comparisons.TryGetValue(name, out string? comparison))
        {
            return Relations.Ordered(run, comparison, value, Operand());
        }

        if (WithOperand.TryGetValue(name, out Func<Rendering, JinjaValue, JinjaValue, bool>? test))
        {
            return test(run, value, Operand());
        }

        JinjaValue Operand() => arguments.Bind(run, name, 1, name switch { "divisibleby" => "num", "in" => "seq", _ => "other" })[0]!;
        arguments.Bind(run, name, 0);
        return name switch
        {
            "odd" => Relations.Equal(run, Operators.Apply(run, "%", value, new IntegerValue(2)), new IntegerValue(1)),
            "even" => Relations.Equal(run, Operators.Apply(run, "%", value, new IntegerValue(2)), new IntegerValue(0)),
            "lower" => HasCase(Printer.Str(run, value), Rune.IsLower),
            "upper" => HasCase(Printer.Str(run, value), Rune.IsUpper),
            "filter" => value is TextValue filter && Filters.Knows(filter.Value),
            "test" => value is TextValue other && Knows(other.Value),
            _ => throw run.Error($"there is no test {ModelFileException.Quote(name)}"),
        };
    }

    /// <summary>Whether the text has letters with case, all of them of that case.</summary>
    public static bool HasCase(string text, Func<Rune, bool> isOf)
    {
        bool any = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (Casing.IsCased(rune))
            {
                any = true;
                if (!isOf(rune))
                {
                    return false;
                }
            }
        }

        return any;
    }

    // Small numbers and equal literals are one object in Python; other equal values may or may not be.
    private static bool Same(Rendering run, JinjaValue a, JinjaValue b) => ReferenceEquals(a, b)
        || (a.GetType() == b.GetType() && a is IntegerValue or TextValue && Relations.Equal(run, a, b));
}
