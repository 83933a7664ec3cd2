using System.Globalization;
using KvIL.Inference.Files;

namespace KvIL.Cli.Commands;

/// <summary>Metadata of a GGUF file as one line a value; long strings and arrays are abbreviated.</summary>
internal static class MetadataText
{
    private const int MaxCharacters = 60;
    private const int MaxElements = 6;
    private const int MaxDepth = 2;

    public static MetadataInfo Describe(GgufValue value) => new(
        value.Key, value.IsArray ? $"{N(value.Count)} x {value.ElementType}" : value.Type.ToString(), Text(value, depth: 0));

    private static string Text(GgufValue value, int depth) => value.Type switch
    {
        GgufValueType.String => Clip(value.String()),
        GgufValueType.Bool => value.Boolean() ? "true" : "false",
        GgufValueType.Array when depth == MaxDepth => "[…]",
        GgufValueType.Array => List(value, depth),
        GgufValueType.Float32 or GgufValueType.Float64 => Number(value),
        _ => value.WholeNumber().ToString(CultureInfo.InvariantCulture),
    };

    private static string List(GgufValue value, int depth)
    {
        IEnumerable<string> first = value.Items().Take(MaxElements).Select(item => Text(item, depth + 1));
        return $"[{string.Join(", ", first)}{(value.Count > MaxElements ? ", …" : "")}]";
    }

    // As a program would print it; what is not finite is shown, not refused.
    private static string Number(GgufValue value) => value.Type == GgufValueType.Float32
        ? value.AnyNumber().ToString("g9", CultureInfo.InvariantCulture)
        : value.AnyNumber().ToString("r", CultureInfo.InvariantCulture);

    private static string Clip(string text) =>
        text.Length <= MaxCharacters ? $"\"{text}\"" : $"\"{text[..MaxCharacters]}…\" ({N(text.Length)} characters)";

    private static string N(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);
}
