using System.Numerics;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates;

/// <summary>Python's arithmetic: <c>+ - * / // % **</c> on numbers, text and lists.</summary>
internal static class Operators
{
    private const int MostBits = 1 << 16;

    public static JinjaValue Apply(Rendering run, string op, JinjaValue a, JinjaValue b)
    {
        if (a is UndefinedValue || (b is UndefinedValue && !(op == "%" && a is TextValue)))
        {
            throw run.Error(((a as UndefinedValue) ?? (UndefinedValue)b).Problem);
        }

        if (PythonNumber.Whole(a) is { } x && PythonNumber.Whole(b) is { } y)
        {
            return OfWholes(run, op, x, y);
        }

        if (PythonNumber.Real(a) is { } left && PythonNumber.Real(b) is { } right)
        {
            return new FloatValue(OfReals(run, op, left, right));
        }

        return (op, a, b) switch
        {
            ("+", TextValue text, TextValue other) => Join(run, text, other),
            ("+", ListValue list, ListValue other) when list.IsTuple == other.IsTuple => Join(run, list, other),
            ("*", TextValue or ListValue, _) when PythonNumber.Whole(b) is { } count => Repeat(run, a, count),
            ("*", _, TextValue or ListValue) when PythonNumber.Whole(a) is { } count => Repeat(run, b, count),
            ("%", TextValue format, _) => format.With(Builtins.PercentFormat.Apply(run, format.Value, b, format.IsSafe)),
            _ => throw run.Error($"'{op}' cannot join {a.TypeName} and {b.TypeName}"),
        };
    }

    public static JinjaValue Sign(Rendering run, bool negative, JinjaValue value) => value switch
    {
        FloatValue real => new FloatValue(negative ? -real.Value : real.Value),
        _ when PythonNumber.Whole(value) is { } whole => new IntegerValue(negative ? -whole : whole),
        UndefinedValue undefined => throw run.Error(undefined.Problem),
        _ => throw run.Error($"a value of type {value.TypeName} has no sign"),
    };

    /// <summary>Text after text; where one side is marked as HTML, the other one is escaped.</summary>
    public static TextValue Join(Rendering run, TextValue a, TextValue b)
    {
        bool safe = a.IsSafe || b.IsSafe;
        string left = safe && !a.IsSafe ? Builtins.Html.Escape(run, a.Value) : a.Value;
        string right = safe && !b.IsSafe ? Builtins.Html.Escape(run, b.Value) : b.Value;
        run.Make((long)left.Length + right.Length);
        return new(left + right, safe);
    }

    private static ListValue Join(Rendering run, ListValue a, ListValue b)
    {
        run.Make((long)a.Count + b.Count);
        return new([.. a.Items, .. b.Items], a.IsTuple);
    }

    private static JinjaValue Repeat(Rendering run, JinjaValue value, BigInteger count)
    {
        int length = value is TextValue text ? text.Value.Length : ((ListValue)value).Count;
        BigInteger total = BigInteger.Max(count, 0) * length;
        run.Make((long)BigInteger.Min(total, long.MaxValue));
        int times = length == 0 ? 0 : (int)(total / length);
        return value is TextValue repeated
            ? repeated.With(new System.Text.StringBuilder().Insert(0, repeated.Value, times).ToString())
            : new ListValue([.. Enumerable.Repeat(((ListValue)value).Items, times).SelectMany(items => items)], ((ListValue)value).IsTuple);
    }

    private static JinjaValue OfWholes(Rendering run, string op, BigInteger a, BigInteger b)
    {
        if (b.IsZero && op is ("/" or "//" or "%"))
        {
            throw run.Error("a number is divided by zero");
        }

        run.Read(a.GetBitLength() + b.GetBitLength());
        switch (op)
        {
            case "+":
                return Whole(run, a + b);
            case "-":
                return Whole(run, a - b);
            case "*":
                return Whole(run, a * b);
            case "/":
                return new FloatValue(Quotient(a, b));
            case "//":
                return Whole(run, PythonNumber.FloorDivide(a, b));
            case "%":
                return Whole(run, a - (b * PythonNumber.FloorDivide(a, b)));
            default:
                return b.Sign < 0 ? new FloatValue(OfReals(run, op, (double)a, (double)b)) : Power(run, a, b);
        }
    }

    private static IntegerValue Power(Rendering run, BigInteger a, BigInteger b)
    {
        bool small = a.IsZero || a.IsOne || a == BigInteger.MinusOne;
        if (!small && b * a.GetBitLength() > MostBits)
        {
            throw run.Error("a number has more digits than are allowed");
        }

        return new(small ? BigInteger.Pow(a, b.IsZero ? 0 : b.IsEven ? 2 : 1) : BigInteger.Pow(a, (int)b));
    }

    private static IntegerValue Whole(Rendering run, BigInteger value) =>
        value.GetBitLength() <= MostBits ? new(value) : throw run.Error("a number has more digits than are allowed");

    // Beyond 2^53 the operands are shifted so that the quotient is rounded once.
    private static double Quotient(BigInteger a, BigInteger b)
    {
        if (a.GetBitLength() <= 53 && b.GetBitLength() <= 53)
        {
            return (double)a / (double)b;
        }

        int shift = (int)(66 - (a.GetBitLength() - b.GetBitLength()));
        BigInteger scaled = shift >= 0 ? BigInteger.Abs(a) << shift : BigInteger.Abs(a);
        BigInteger divisor = shift >= 0 ? BigInteger.Abs(b) : BigInteger.Abs(b) << -shift;
        BigInteger quotient = BigInteger.DivRem(scaled, divisor, out BigInteger rest);
        double value = Math.ScaleB((double)(rest.IsZero ? quotient << 1 : (quotient << 1) | 1), -shift - 1);
        return a.Sign == b.Sign ? value : -value;
    }

    private static double OfReals(Rendering run, string op, double a, double b)
    {
        if (b == 0 && op is ("/" or "//" or "%"))
        {
            throw run.Error("a number is divided by zero");
        }

        return op switch
        {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            "/" => a / b,
            "//" => PythonNumber.FloorDivide(a, b),
            "%" => PythonNumber.Modulo(a, b),
            _ when a == 0 && b < 0 => throw run.Error("zero has no negative power"),
            _ when a < 0 && double.IsFinite(a) && !double.IsInteger(b) && double.IsFinite(b) => throw run.Error("a negative number has no such power"),
            _ => Math.Pow(a, b),
        };
    }
}
