using KvIL.Inference.Files;

namespace KvIL.Inference.Tokenization;

/// <summary>What a tokenizer.json says besides its vocabulary; refuses by name what KvIL does not do.</summary>
internal static class TokenizerJson
{
    private const int MaxFileBytes = 1 << 29;
    private const int MaxConfigBytes = 1 << 24;

    public static JsonValue Load(string path)
    {
        JsonValue root = JsonValue.Load(path, MaxFileBytes);
        if (root.Find("normalizer") is { } normalizer)
        {
            throw NotSupported(normalizer, "a normalizer", "none");
        }

        if (root.Find("decoder") is { } decoder && TypeOf(decoder) != "ByteLevel")
        {
            throw NotSupported(decoder, "a decoder", "'ByteLevel'");
        }

        return root;
    }

    /// <summary>How text is cut into words before merging.</summary>
    public static (bool AddPrefixSpace, bool UseRegex) ReadPreTokenizer(JsonValue root)
    {
        JsonValue preTokenizer = root.Require("pre_tokenizer");
        return TypeOf(preTokenizer) == "ByteLevel"
            ? (preTokenizer.Find("add_prefix_space")?.Boolean() ?? true,
                preTokenizer.Find("use_regex")?.Boolean() ?? true)
            : throw NotSupported(preTokenizer, "a pre-tokenizer", "'ByteLevel'");
    }

    /// <summary>The token that the post-processor puts before a text; null where it puts none.</summary>
    public static int? ReadPrependedToken(JsonValue? postProcessor)
    {
        if (postProcessor is not { } processor)
        {
            return null;
        }

        switch (TypeOf(processor))
        {
            case "ByteLevel":
                return null;
            case "Sequence":
                int?[] prepended = [.. processor.Require("processors").Items().Select(step => ReadPrependedToken(step))];
                return prepended.Count(id => id is not null) <= 1
                    ? prepended.FirstOrDefault(id => id is not null)
                    : throw processor.Error(
                        "more than one token before the text is not supported", "choose another checkpoint");
            case "TemplateProcessing":
                return ReadTemplate(processor);
            default:
                throw NotSupported(processor, "a post-processor", "'ByteLevel' and 'TemplateProcessing'");
        }
    }

    /// <summary>The first and last token of a text as the tokenizer_config.json beside the file names them.</summary>
    public static (int? Bos, int? Eos) ReadMarks(string path, Dictionary<string, int> ids)
    {
        string config = Path.Combine(Path.GetDirectoryName(path) ?? "", "tokenizer_config.json");
        if (!File.Exists(config))
        {
            return (null, null);
        }

        JsonValue root = JsonValue.Load(config, MaxConfigBytes);
        return (ReadMark(root, "bos_token", ids), ReadMark(root, "eos_token", ids));
    }

    private static int? ReadMark(JsonValue root, string field, Dictionary<string, int> ids)
    {
        if (root.Find(field) is not { } mark)
        {
            return null;
        }

        string content = mark.IsString ? mark.String() : mark.Require("content").String();
        return ids.TryGetValue(content, out int id)
            ? id
            : throw mark.Error($"the tokenizer has no token {ModelFileException.Quote(content)}");
    }

    private static int? ReadTemplate(JsonValue processor)
    {
        JsonValue single = processor.Require("single");
        JsonValue[] pieces = [.. single.Items()];
        if (pieces is [] or [.., _, _, _] || pieces[^1].Find("Sequence") is null)
        {
            throw single.Error(
                "only a template of at most one token and then the text is supported", "choose another checkpoint");
        }

        if (pieces.Length == 1)
        {
            return null;
        }

        string name = pieces[0].Require("SpecialToken").Require("id").String();
        JsonValue ids = processor.Require("special_tokens").Require(name).Require("ids");
        return ids.Items().ToArray() is [JsonValue id] ? id.Integer(0, BpeModel.MaxId) : throw ids.Expected("one id");
    }

    private static string TypeOf(JsonValue part) => part.Require("type").String();

    private static ModelFileException NotSupported(JsonValue part, string kind, string supported)
    {
        string type = TypeOf(part);
        JsonValue? steps = part.Find("pretokenizers") ?? part.Find("normalizers") ?? part.Find("decoders");
        string inner = steps is null
            ? ""
            : $" of {ModelFileException.Quote(string.Join(", ", steps.Value.Items().Select(TypeOf)))}";
        return part.Error(
            $"found {kind} of type {ModelFileException.Quote(type)}{inner}, supported is {supported}",
            "choose another checkpoint");
    }
}
