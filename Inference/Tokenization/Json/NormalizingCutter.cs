namespace KvIL.Inference.Tokenization.Json;

/// <summary>Cuts a text at some tokens, normalizes what is left, and cuts that at the other tokens.</summary>
internal sealed class NormalizingCutter(
    LeftmostCutter before, IReadOnlyList<Func<string, string>> normalizer, LeftmostCutter after) : ITokenCutter
{
    /// <summary>The text after all steps.</summary>
    public static string Apply(IReadOnlyList<Func<string, string>> normalizer, string text)
    {
        foreach (Func<string, string> step in normalizer)
        {
            text = step(text);
        }

        return text;
    }

    /// <inheritdoc/>
    public IReadOnlyList<TextPart> Cut(string text, bool parseSpecial)
    {
        var raw = new List<TextPart>();
        before.Cut(text, parseSpecial, raw);
        var parts = new List<TextPart>();
        foreach (TextPart part in raw)
        {
            if (part.TokenId is null)
            {
                after.Cut(Apply(normalizer, part.Text), parseSpecial, parts);
            }
            else
            {
                parts.Add(part);
            }
        }

        return parts;
    }
}
