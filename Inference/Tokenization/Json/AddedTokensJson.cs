using KvIL.Inference.Files;

namespace KvIL.Inference.Tokenization.Json;

/// <summary>Reads the <c>added_tokens</c> of a tokenizer.json.</summary>
internal static class AddedTokensJson
{
    /// <summary>Reads the list and gives every token that the vocabulary lacks its own id there.</summary>
    /// <exception cref="ModelFileException">A token is of a kind that is not supported, or has another one's id.</exception>
    public static NormalizingCutter Read(JsonValue? list, Vocabulary vocabulary, TokenSpelling spelling, IReadOnlyList<Func<string, string>> normalizer)
    {
        var raw = new List<CutToken>();
        var normalized = new List<CutToken>();
        var contents = new HashSet<string>();
        foreach (JsonValue item in list?.Items() ?? [])
        {
            string content = item.Require("content").String();
            int id = item.Require("id").Integer(0, Vocabulary.MaxId);
            bool fits = vocabulary.Find(content) is { } known ? known == id : vocabulary.SpellingOf(id) is null;
            if (content.Length == 0 || !contents.Add(content) || !fits)
            {
                throw item.Error(
                    $"the added token {ModelFileException.Quote(content)} is empty, repeated, or its id {id} is not its own");
            }

            if (JsonParts.Flag(item, "single_word"))
            {
                throw JsonParts.NotSupported(item, "an added token that matches whole words only");
            }

            if (vocabulary.Find(content) is null)
            {
                vocabulary.Add(content, id);
            }

            bool special = JsonParts.Flag(item, "special");
            spelling.MarkLiteral(id);
            if (special)
            {
                vocabulary.MarkSpecial(id);
            }

            bool late = JsonParts.Flag(item, "normalized");
            string searched = late ? NormalizingCutter.Apply(normalizer, content) : content;
            if (searched.Length > 0)
            {
                (late ? normalized : raw).Add(new CutToken(
                    searched, id, special, JsonParts.Flag(item, "lstrip"), JsonParts.Flag(item, "rstrip")));
            }
        }

        return new NormalizingCutter(new LeftmostCutter(raw), normalizer, new LeftmostCutter(normalized));
    }
}
