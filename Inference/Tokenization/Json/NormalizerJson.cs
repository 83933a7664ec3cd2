using KvIL.Inference.Files;
using KvIL.Inference.Tokenization.Normalization;
using KvIL.Inference.Tokenization.Patterns;

namespace KvIL.Inference.Tokenization.Json;

/// <summary>Reads the <c>normalizer</c> of a tokenizer.json: what changes text before it is cut.</summary>
internal static class NormalizerJson
{
    /// <summary>The steps in order.</summary>
    /// <exception cref="ModelFileException">One is not supported.</exception>
    public static IReadOnlyList<Func<string, string>> Read(JsonValue? normalizer) =>
        [.. JsonParts.Flatten(normalizer, "normalizers").Select(ReadStep)];

    private static Func<string, string> ReadStep(JsonValue step)
    {
        switch (JsonParts.TypeOf(step))
        {
            case "NFC":
                return text => UnicodeNormalizer.Normalize(text, compatibility: false, compose: true);
            case "NFD":
                return text => UnicodeNormalizer.Normalize(text, compatibility: false, compose: false);
            case "NFKC":
                return text => UnicodeNormalizer.Normalize(text, compatibility: true, compose: true);
            case "NFKD":
                return text => UnicodeNormalizer.Normalize(text, compatibility: true, compose: false);
            case "Prepend":
                string prefix = step.Require("prepend").String();
                return text => text.Length == 0 ? text : prefix + text;
            case "Replace":
                string with = step.Require("content").String();
                Pattern pattern = JsonParts.ReadPattern(step);
                return text => pattern.Replace(text, with);
            case "Strip":
                bool left = JsonParts.Flag(step, "strip_left", otherwise: true);
                bool right = JsonParts.Flag(step, "strip_right", otherwise: true);
                return text => (left, right) switch
                {
                    (true, true) => text.Trim(),
                    (true, false) => text.TrimStart(),
                    (false, true) => text.TrimEnd(),
                    _ => text,
                };
            default:
                throw JsonParts.NotSupported(
                    step, "a normalizer", "'NFC', 'NFD', 'NFKC', 'NFKD', 'Prepend', 'Replace', 'Strip' and 'Sequence'");
        }
    }
}
