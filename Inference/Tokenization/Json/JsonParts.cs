using KvIL.Inference.Files;
using KvIL.Inference.Tokenization.Patterns;

namespace KvIL.Inference.Tokenization.Json;

/// <summary>What the parts of a tokenizer.json have in common.</summary>
internal static class JsonParts
{
    /// <summary>What to do about a part that is not supported.</summary>
    public const string OtherCheckpoint = "choose another checkpoint";

    /// <summary>The kind of a part.</summary>
    public static string TypeOf(JsonValue part) => part.Require("type").String();

    /// <summary>A part, or the parts of a Sequence, in order; nothing where it is absent.</summary>
    /// <param name="part">The part.</param>
    /// <param name="list">The name under which a Sequence has its parts.</param>
    public static IEnumerable<JsonValue> Flatten(JsonValue? part, string list) => part is not { } value ? []
        : TypeOf(value) == "Sequence" ? value.Require(list).Items().SelectMany(item => Flatten(item, list))
        : [value];

    /// <summary>A switch of a part.</summary>
    public static bool Flag(JsonValue part, string name, bool otherwise = false) => part.Find(name)?.Boolean() ?? otherwise;

    /// <summary>A field that is one character.</summary>
    public static char Character(JsonValue part, string name, char otherwise)
    {
        if (part.Find(name) is not { } value)
        {
            return otherwise;
        }

        return value.String() is [char only] && !char.IsSurrogate(only) ? only : throw value.Expected("one character up to U+FFFF");
    }

    /// <summary>The pattern of a part: <c>{"String": ...}</c> or <c>{"Regex": ...}</c>.</summary>
    public static Pattern ReadPattern(JsonValue part)
    {
        JsonValue field = part.Require("pattern");
        JsonValue? regex = field.Find("Regex");
        JsonValue source = regex ?? field.Require("String");
        string text = source.String();
        if (text.Length == 0)
        {
            throw source.Error("the pattern is empty");
        }

        try
        {
            return Pattern.Parse(regex is null ? Pattern.Escape(text) : text);
        }
        catch (PatternException refusal)
        {
            throw source.Error($"the pattern has a part that is not supported: {refusal.Message}", OtherCheckpoint);
        }
    }

    /// <summary>The exception for a part of a kind that KvIL does not have.</summary>
    public static ModelFileException NotSupported(JsonValue part, string kind, string supported) =>
        part.Error($"found {kind} of type {ModelFileException.Quote(TypeOf(part))}, supported are {supported}", OtherCheckpoint);

    /// <summary>The exception for something that KvIL does not do.</summary>
    public static ModelFileException NotSupported(JsonValue part, string what) =>
        part.Error($"{what} is not supported", OtherCheckpoint);
}
