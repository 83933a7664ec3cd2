namespace KvIL.Inference.Files;

/// <summary>Where a model's chat template stands.</summary>
internal static class ChatTemplateFiles
{
    private const int MaxFileBytes = 1 << 26;
    private const string Default = "default";

    /// <summary>
    /// The template's text: GGUF's <c>tokenizer.chat_template</c>; beside <c>config.json</c>, <c>chat_template.jinja</c> or the field
    /// <c>chat_template</c> of <c>tokenizer_config.json</c>, of several the one named "default"; null where there is none.
    /// </summary>
    /// <exception cref="ModelFileException">The file or field is damaged.</exception>
    public static string? Find(ModelSource source)
    {
        if (source.Metadata is { } metadata)
        {
            return metadata.Find("tokenizer.chat_template")?.String();
        }

        if (!Directory.Exists(source.Path))
        {
            return null;
        }

        string file = Path.Combine(source.Path, "chat_template.jinja");
        if (File.Exists(file))
        {
            return new FileInfo(file).Length <= MaxFileBytes
                ? File.ReadAllText(file)
                : throw new ModelFileException($"{file}: a chat template has at most {MaxFileBytes} bytes; check that it is the right file.");
        }

        string config = Path.Combine(source.Path, "tokenizer_config.json");
        return File.Exists(config) && JsonValue.Load(config, MaxFileBytes).Find("chat_template") is { } field ? Of(field) : null;
    }

    private static string? Of(JsonValue field)
    {
        if (!field.IsArray)
        {
            return field.String();
        }

        foreach (JsonValue named in field.Items())
        {
            if (named.Require("name").String() == Default)
            {
                return named.Require("template").String();
            }
        }

        return null;
    }
}
