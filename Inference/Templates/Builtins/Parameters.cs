using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>A function of templates: a filter of its input, or a method of its subject.</summary>
internal delegate JinjaValue Builtin(Rendering run, JinjaValue subject, Arguments arguments);

/// <summary>Arguments as the types that functions want.</summary>
internal static class Parameters
{
    /// <summary>The text; fails on anything else.</summary>
    public static string Text(Rendering run, JinjaValue value) => value switch
    {
        TextValue text => text.Value,
        UndefinedValue undefined => throw run.Error(undefined.Problem),
        _ => throw run.Error($"expected text, got a value of type {value.TypeName}"),
    };

    /// <summary>The text, or null for none.</summary>
    public static string? OptionalText(Rendering run, JinjaValue? value) => value is null or NoneValue ? null : Text(run, value);

    /// <summary>The whole number, cut to an int's range.</summary>
    public static int Int(Rendering run, JinjaValue? value, int otherwise) => value is null ? otherwise
        : PythonNumber.Clamped(value) ?? throw run.Error(value is UndefinedValue undefined ? undefined.Problem : $"expected a whole number, got a value of type {value.TypeName}");

    public static bool Truth(JinjaValue? value, bool otherwise = false) => value?.Truth ?? otherwise;

    /// <summary>Text with the mark of other text, counted.</summary>
    public static TextValue Made(Rendering run, JinjaValue like, string text)
    {
        run.Make(text.Length);
        return new(text, like is TextValue { IsSafe: true });
    }
}
