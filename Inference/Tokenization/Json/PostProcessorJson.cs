using KvIL.Inference.Files;

namespace KvIL.Inference.Tokenization.Json;

/// <summary>Reads the <c>post_processor</c> of a tokenizer.json: what is put around a text.</summary>
internal static class PostProcessorJson
{
    /// <summary>The token before a text; null where there is none.</summary>
    /// <exception cref="ModelFileException">Something else is put around a text, or the vocabulary lacks the token.</exception>
    public static int? ReadFirstToken(JsonValue? processor, Vocabulary vocabulary)
    {
        int?[] first = [.. JsonParts.Flatten(processor, "processors").Select(ReadStep).Where(id => id is not null)];
        if (first.Length > 1)
        {
            throw JsonParts.NotSupported(processor!.Value, "more than one token before the text");
        }

        return first is not [int id] ? null
            : vocabulary.SpellingOf(id) is not null ? id
            : throw processor!.Value.Error($"the tokenizer has no token of id {id}");
    }

    private static int? ReadStep(JsonValue step) => JsonParts.TypeOf(step) switch
    {
        "ByteLevel" => null,
        "TemplateProcessing" => ReadTemplate(step),
        _ => throw JsonParts.NotSupported(step, "a post-processor", "'ByteLevel', 'TemplateProcessing' and 'Sequence'"),
    };

    private static int? ReadTemplate(JsonValue processor)
    {
        JsonValue single = processor.Require("single");
        JsonValue[] pieces = [.. single.Items().Take(3)];
        if (pieces.Length is 0 or 3 || pieces[^1].Find("Sequence") is null)
        {
            throw single.Error("only a template of at most one token and then the text is supported", JsonParts.OtherCheckpoint);
        }

        if (pieces.Length == 1)
        {
            return null;
        }

        string name = pieces[0].Require("SpecialToken").Require("id").String();
        JsonValue ids = processor.Require("special_tokens").Require(name).Require("ids");
        return ids.Items().ToArray() is [JsonValue id] ? id.Integer(0, Vocabulary.MaxId) : throw ids.Expected("one id");
    }
}
