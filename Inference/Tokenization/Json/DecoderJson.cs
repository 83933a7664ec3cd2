using KvIL.Inference.Files;

namespace KvIL.Inference.Tokenization.Json;

/// <summary>Reads the <c>decoder</c> of a tokenizer.json: which text each token stands for.</summary>
internal static class DecoderJson
{
    /// <summary>How the vocabulary is spelled.</summary>
    /// <param name="decoder">The decoder; null for none.</param>
    /// <param name="vocabulary">The tokens.</param>
    /// <param name="byteLevel">Whether words are spelled in bytes, which decides where there is no decoder.</param>
    /// <exception cref="ModelFileException">A step is not supported.</exception>
    public static TokenSpelling Read(JsonValue? decoder, Vocabulary vocabulary, bool byteLevel)
    {
        JsonValue[] steps = [.. JsonParts.Flatten(decoder, "decoders")];
        if (steps.Length == 0 ? byteLevel : steps.Any(step => JsonParts.TypeOf(step) == "ByteLevel"))
        {
            return steps.Length <= 1
                ? TokenSpelling.ByteLevel(vocabulary)
                : throw JsonParts.NotSupported(decoder!.Value, "a 'ByteLevel' decoder with other steps");
        }

        var replacements = new List<(string, string)>();
        bool byteFallback = false;
        bool dropsBlank = false;
        foreach (JsonValue step in steps)
        {
            switch (JsonParts.TypeOf(step))
            {
                case "Replace":
                    replacements.Add(ReadReplacement(step));
                    break;
                case "ByteFallback":
                    byteFallback = true;
                    break;
                case "Fuse":
                    break;
                case "Strip":
                    dropsBlank |= ReadStrip(step);
                    break;
                case "Metaspace":
                    replacements.Add((JsonParts.Character(step, "replacement", '\u2581').ToString(), " "));
                    dropsBlank |= step.Find("prepend_scheme") is { } scheme
                        ? scheme.String() != "never"
                        : JsonParts.Flag(step, "add_prefix_space", otherwise: true);
                    break;
                default:
                    throw JsonParts.NotSupported(
                        step, "a decoder", "'ByteLevel', 'Replace', 'ByteFallback', 'Fuse', 'Strip', 'Metaspace' and 'Sequence'");
            }
        }

        return TokenSpelling.Plain(vocabulary, replacements, byteFallback, dropsBlank);
    }

    private static (string From, string To) ReadReplacement(JsonValue step)
    {
        JsonValue from = step.Require("pattern").Require("String");
        return from.String().Length > 0 ? (from.String(), step.Require("content").String()) : throw from.Error("the pattern is empty");
    }

    private static bool ReadStrip(JsonValue step) =>
        step.Require("content").String() == " " && step.Require("start").Integer(0, 1) == 1 && step.Require("stop").Integer(0, 0) == 0
            ? true
            : throw JsonParts.NotSupported(step, "a 'Strip' of anything but one blank at the start");
}
