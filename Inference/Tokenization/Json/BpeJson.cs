using KvIL.Inference.Files;
using KvIL.Inference.Tokenization.Bpe;

namespace KvIL.Inference.Tokenization.Json;

/// <summary>Reads the <c>model</c> of a tokenizer.json, which must be byte-pair encoding.</summary>
internal static class BpeJson
{
    /// <summary>The vocabulary.</summary>
    /// <exception cref="ModelFileException">The model is of another kind, or the vocabulary breaks a rule.</exception>
    public static Vocabulary ReadVocabulary(JsonValue model)
    {
        JsonValue? type = model.Find("type");
        string typeName = type?.String() ?? "BPE";
        if (typeName != "BPE")
        {
            throw type!.Value.Error(
                $"found the tokenizer model {ModelFileException.Quote(typeName)}, supported is 'BPE'", JsonParts.OtherCheckpoint);
        }

        RefuseUnlessUnset(model, "dropout", value => value.Number(0, 1) == 0);
        RefuseUnlessUnset(model, "continuing_subword_prefix", value => value.String().Length == 0);
        RefuseUnlessUnset(model, "end_of_word_suffix", value => value.String().Length == 0);

        var vocabulary = new Vocabulary();
        JsonValue members = model.Require("vocab");
        foreach ((string token, JsonValue value) in members.Members())
        {
            int id = value.Integer(0, Vocabulary.MaxId);
            if (vocabulary.SpellingOf(id) is not null)
            {
                throw value.Error($"the id {id} belongs to another token too");
            }

            if (!vocabulary.Add(token, id))
            {
                throw value.Error("the token stands there twice");
            }
        }

        return vocabulary.Size > 0 ? vocabulary : throw members.Error("the vocabulary is empty");
    }

    /// <summary>The merges, and what becomes of characters that are no tokens.</summary>
    /// <exception cref="ModelFileException">A merge is not of two tokens that make a third.</exception>
    public static BpeModel Read(JsonValue model, Vocabulary vocabulary)
    {
        int? unknown = null;
        if (model.Find("unk_token") is { } field)
        {
            unknown = vocabulary.Find(field.String())
                ?? throw field.Error($"the vocabulary has no token {ModelFileException.Quote(field.String())}");
        }

        var missing = new MissingCharacters(
            JsonParts.Flag(model, "byte_fallback") ? ByteFallback.Find(vocabulary) : null, unknown,
            JsonParts.Flag(model, "fuse_unk"), Separates: false);
        return new BpeModel(vocabulary, ReadMerges(model.Require("merges"), vocabulary), missing)
        {
            TakesWholeWords = JsonParts.Flag(model, "ignore_merges"),
        };
    }

    private static void RefuseUnlessUnset(JsonValue model, string field, Func<JsonValue, bool> isUnset)
    {
        if (model.Find(field) is { } value && !isUnset(value))
        {
            throw JsonParts.NotSupported(value, "this feature of BPE tokenizers");
        }
    }

    private static MergeTable ReadMerges(JsonValue list, Vocabulary vocabulary)
    {
        var merges = new MergeTable(capacity: 0);
        int rank = 0;
        foreach (JsonValue item in list.Items())
        {
            string[] pair = item.IsArray ? [.. item.Items().Select(token => token.String())] : item.String().Split(' ');
            if (pair is not [string left, string right])
            {
                throw item.Expected("two tokens");
            }

            merges.Add(Require(left), Require(right), Require(left + right), rank++, replace: true);

            // A merge can only be applied if its parts and its result are tokens.
            int Require(string token) => vocabulary.Find(token) ?? throw item.Error(
                $"the merge needs the token {ModelFileException.Quote(token)}, which the vocabulary lacks");
        }

        return merges;
    }
}
