using System.Numerics;
using System.Text;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>Filters that give a number, or a value in place of another one.</summary>
internal static class ValueFilters
{
    public static IReadOnlyDictionary<string, Builtin> All { get; } = new Dictionary<string, Builtin>
    {
        ["abs"] = Abs,
        ["attr"] = (run, input, arguments) => Access.Attribute(run, input, Parameters.Text(run, arguments.Bind(run, "attr", 1, "name")[0]!)),
        ["d"] = Default,
        ["default"] = Default,
        ["filesizeformat"] = FileSize,
        ["float"] = Float,
        ["int"] = Int,
        ["round"] = Round,
        ["wordcount"] = WordCount,
    };

    private static JinjaValue Default(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "default", 0, "default_value", "boolean");
        bool replaced = input is UndefinedValue || (Parameters.Truth(given[1]) && !input.Truth);
        return replaced ? given[0] ?? TextValue.Empty : input;
    }

    private static JinjaValue Abs(Rendering run, JinjaValue input, Arguments arguments)
    {
        arguments.Bind(run, "abs", 0);
        return input is FloatValue real ? new FloatValue(Math.Abs(real.Value))
            : PythonNumber.Whole(input) is { } whole ? new IntegerValue(BigInteger.Abs(whole))
            : throw run.Error($"a value of type {input.TypeName} has no absolute value");
    }

    private static JinjaValue Int(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "int", 0, "default", "base");
        JinjaValue otherwise = given[0] ?? new IntegerValue(0);
        if (input is UndefinedValue undefined)
        {
            throw run.Error(undefined.Problem);
        }

        if (PythonNumber.Whole(input) is { } whole)
        {
            return new IntegerValue(whole);
        }

        if (input is TextValue text && PythonNumber.ParseInteger(text.Value, Parameters.Int(run, given[1], 10)) is { } parsed)
        {
            return new IntegerValue(parsed);
        }

        double? real = input is TextValue number ? PythonNumber.ParseReal(number.Value) : PythonNumber.Real(input);
        return real is { } value && double.IsFinite(value) ? new IntegerValue(new BigInteger(value)) : otherwise;
    }

    private static JinjaValue Float(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue otherwise = arguments.Bind(run, "float", 0, "default")[0] ?? new FloatValue(0);
        double? real = input switch
        {
            UndefinedValue undefined => throw run.Error(undefined.Problem),
            TextValue text => PythonNumber.ParseReal(text.Value),
            _ => PythonNumber.Real(input),
        };
        return real is { } value ? new FloatValue(value) : otherwise;
    }

    private static JinjaValue Round(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "round", 0, "precision", "method");
        int places = Parameters.Int(run, given[0], 0);
        string method = given[1] is null ? "common" : Parameters.Text(run, given[1]!);
        double value = PythonNumber.Real(input) ?? throw run.Error(input is UndefinedValue undefined
            ? undefined.Problem : $"a value of type {input.TypeName} cannot be rounded");
        double unit = Math.Pow(10, places);
        return method switch
        {
            "common" when PythonNumber.Whole(input) is { } whole => new IntegerValue(PythonNumber.Round(whole, places)),
            "common" => new FloatValue(PythonNumber.Round(value, places)),
            "ceil" => new FloatValue(Math.Ceiling(value * unit) / unit),
            "floor" => new FloatValue(Math.Floor(value * unit) / unit),
            _ => throw run.Error("'round' has the methods 'common', 'ceil' and 'floor'"),
        };
    }

    private static IntegerValue WordCount(Rendering run, JinjaValue input, Arguments arguments)
    {
        arguments.Bind(run, "wordcount", 0);
        int words = 0;
        bool inWord = false;
        foreach (Rune rune in Printer.Str(run, input).EnumerateRunes())
        {
            bool isWord = rune.Value == '_' || TextKinds.IsAlphanumeric(rune);
            words += isWord && !inWord ? 1 : 0;
            inWord = isWord;
        }

        return new(words);
    }

    private static TextValue FileSize(Rendering run, JinjaValue input, Arguments arguments)
    {
        bool binary = Parameters.Truth(arguments.Bind(run, "filesizeformat", 0, "binary")[0]);
        double bytes = (input is TextValue text ? PythonNumber.ParseReal(text.Value) : PythonNumber.Real(input))
            ?? throw run.Error($"a value of type {input.TypeName} is no size");
        int unit = binary ? 1024 : 1000;
        if (bytes < unit)
        {
            return new(bytes == 1 ? "1 Byte" : $"{new BigInteger(bytes)} Bytes");
        }

        int step = 0;
        while (step < 7 && bytes >= Math.Pow(unit, step + 2))
        {
            step++;
        }

        string prefix = binary ? "KMGTPEZY"[step] + "iB" : "kMGTPEZY"[step] + "B";
        return new($"{DecimalDigits.Fixed(unit * bytes / Math.Pow(unit, step + 2), 1)} {prefix}");
    }
}
