using System.Numerics;

namespace KvIL.Inference.Templates.Values;

/// <summary>Which values are equal, which comes first, and what contains what.</summary>
internal static class Relations
{
    /// <summary>Equality without conversion: 1, 1.0 and true are equal, 1 and '1' are not; lists and dicts compare by value.</summary>
    public static bool Equal(Rendering run, JinjaValue a, JinjaValue b)
    {
        if (ReferenceEquals(a, b))
        {
            return a is not FloatValue { Value: double.NaN };
        }

        run.Enter();
        bool equal = (a, b) switch
        {
            (TextValue x, TextValue y) => EqualTexts(run, x, y),
            (UndefinedValue, UndefinedValue) => true,
            (ListValue x, ListValue y) => x.IsTuple == y.IsTuple && x.Count == y.Count && EqualItems(run, x, y),
            (DictValue x, DictValue y) => x.Count == y.Count && EqualDicts(run, x, y),
            (RangeValue x, RangeValue y) => x.Count == y.Count && (x.Count == 0 || x.Start == y.Start) && (x.Count < 2 || x.Step == y.Step),
            (FloatValue or IntegerValue or BooleanValue, FloatValue or IntegerValue or BooleanValue) => CompareNumbers(a, b) == 0,
            _ => false,
        };
        run.Leave();
        return equal;
    }

    /// <summary>a &lt; b and its like.</summary>
    public static bool Ordered(Rendering run, string comparison, JinjaValue a, JinjaValue b)
    {
        int? order = Compare(run, comparison, a, b);
        return comparison switch
        {
            "<" => order < 0,
            "<=" => order <= 0,
            ">" => order > 0,
            _ => order >= 0,
        };
    }

    /// <summary>Below 0 where a comes first; null where neither does (NaN).</summary>
    /// <exception cref="TemplateException">Values of these types have no order.</exception>
    public static int? Compare(Rendering run, string comparison, JinjaValue a, JinjaValue b)
    {
        if (a is UndefinedValue || b is UndefinedValue)
        {
            throw run.Error(((a as UndefinedValue) ?? (UndefinedValue)b).Problem);
        }

        run.Enter();
        int? order = (a, b) switch
        {
            (TextValue x, TextValue y) => CompareTexts(run, x.Value, y.Value),
            (ListValue x, ListValue y) when x.IsTuple == y.IsTuple => CompareItems(run, comparison, x, y),
            (FloatValue or IntegerValue or BooleanValue, FloatValue or IntegerValue or BooleanValue) => CompareNumbers(a, b),
            _ => throw run.Error($"'{comparison}' cannot compare {a.TypeName} with {b.TypeName}"),
        };
        run.Leave();
        return order;
    }

    /// <summary><c>item in container</c></summary>
    public static bool Contains(Rendering run, JinjaValue container, JinjaValue item)
    {
        switch (container)
        {
            case TextValue text:
                string part = item is TextValue sought ? sought.Value : throw run.Error($"only text can be in text, not {item.TypeName}");
                run.Read(text.Value.Length);
                return text.Value.Contains(part, StringComparison.Ordinal);
            case DictValue or ViewValue { Part: DictPart.Keys }:
                DictValue dict = container as DictValue ?? ((ViewValue)container).Dict;
                return DictValue.KeyOf(item) is null
                    ? throw run.Error($"a value of type {item.TypeName} cannot be a key of a dict")
                    : dict.Find(item) is not null;
            default:
                return Iteration.Of(run, container).Any(candidate => Equal(run, candidate, item));
        }
    }

    private static bool EqualTexts(Rendering run, TextValue x, TextValue y)
    {
        if (x.Value.Length != y.Value.Length)
        {
            return false;
        }

        run.Read(x.Value.Length);
        return x.Value == y.Value;
    }

    private static bool EqualItems(Rendering run, ListValue x, ListValue y)
    {
        for (int i = 0; i < x.Count; i++)
        {
            if (!Equal(run, x[i], y[i]))
            {
                return false;
            }
        }

        return true;
    }

    private static bool EqualDicts(Rendering run, DictValue x, DictValue y) =>
        x.Items.All(item => y.Find(item.Key) is { } other && Equal(run, item.Value, other));

    private static int? CompareItems(Rendering run, string comparison, ListValue x, ListValue y)
    {
        for (int i = 0; i < Math.Min(x.Count, y.Count); i++)
        {
            if (!Equal(run, x[i], y[i]))
            {
                return Compare(run, comparison, x[i], y[i]);
            }
        }

        return x.Count.CompareTo(y.Count);
    }

    private static int? CompareNumbers(JinjaValue a, JinjaValue b)
    {
        if (PythonNumber.Whole(a) is { } x && PythonNumber.Whole(b) is { } y)
        {
            return x.CompareTo(y);
        }

        double left = PythonNumber.Real(a)!.Value;
        double right = PythonNumber.Real(b)!.Value;
        if (double.IsNaN(left) || double.IsNaN(right))
        {
            return null;
        }

        // A double is compared exactly with a whole number that no double holds.
        return double.IsFinite(left) && double.IsFinite(right) && left == right && Math.Abs(left) > 1L << 53
            ? (PythonNumber.Whole(a) ?? new BigInteger(left)).CompareTo(PythonNumber.Whole(b) ?? new BigInteger(right))
            : left.CompareTo(right);
    }

    // By code points: in UTF-16 the surrogates, which stand for higher ones, come before U+E000.
    private static int CompareTexts(Rendering run, string x, string y)
    {
        int same = x.AsSpan().CommonPrefixLength(y);
        run.Read(same);
        if (same == x.Length || same == y.Length)
        {
            return x.Length.CompareTo(y.Length);
        }

        return (char.IsSurrogate(x[same]) ? x[same] + 0x10000 : x[same]).CompareTo(char.IsSurrogate(y[same]) ? y[same] + 0x10000 : y[same]);
    }
}
