using KvIL.Inference.Files;

namespace KvIL.Inference.Templates;

/// <summary>A model's chat template with the tokens that it may name.</summary>
/// <param name="Template">The template.</param>
/// <param name="BosToken">The text of the token that begins a text; null where the files name none.</param>
/// <param name="EosToken">The text of the token that ends a text; null where the files name none.</param>
public sealed record ModelChatTemplate(ChatTemplate Template, string? BosToken, string? EosToken)
{
    /// <summary>The prompt of a conversation; the model's tokens replace those of <paramref name="options"/>.</summary>
    /// <inheritdoc cref="ChatTemplate.Render"/>
    public string Render(IReadOnlyList<ChatMessage> messages, ChatTemplateOptions? options = null) =>
        Template.Render(messages, (options ?? new()) with { BosToken = BosToken, EosToken = EosToken });
}

/// <summary>Finds and reads chat templates.</summary>
public static class ChatTemplates
{
    /// <summary>
    /// The template of a model: in a directory <c>chat_template.jinja</c>, else the field <c>chat_template</c> of
    /// <c>tokenizer_config.json</c>; in a GGUF file <c>tokenizer.chat_template</c>.
    /// </summary>
    /// <returns>Null where the model has none.</returns>
    /// <exception cref="ModelFileException">A file cannot be read or has something else in these fields.</exception>
    /// <exception cref="TemplateException">The text is not a template.</exception>
    public static ModelChatTemplate? Find(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            return ModelSource.GgufIn(path) is { } inside ? Find(inside) : Parse(ChatTemplateFiles.InDirectory(path));
        }

        if (!GgufFile.HasMagic(path))
        {
            return null;
        }

        using GgufFile file = GgufFile.Open(path);
        return Parse(ChatTemplateFiles.InGguf(file.Metadata, path));
    }

    /// <summary>The template of an open model; null where it has none.</summary>
    /// <exception cref="ModelFileException">A file cannot be read or has something else in these fields.</exception>
    /// <exception cref="TemplateException">The text is not a template.</exception>
    public static ModelChatTemplate? Of(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return Parse(checkpoint.ReadChatTemplate());
    }

    /// <summary>Reads a template from a file of its own.</summary>
    /// <exception cref="ModelFileException">The file cannot be read or is not UTF-8 text.</exception>
    /// <exception cref="TemplateException">The text is not a template.</exception>
    public static ChatTemplate Load(string path) => ChatTemplate.Parse(ChatTemplateFiles.ReadText(path), path);

    private static ModelChatTemplate? Parse(ChatTemplateText? text) =>
        text is null ? null : new(ChatTemplate.Parse(text.Source, text.Name), text.BosToken, text.EosToken);
}
