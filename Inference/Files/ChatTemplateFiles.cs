using System.Text;

namespace KvIL.Inference.Files;

/// <summary>The text of a chat template, as a model's files have it.</summary>
/// <param name="Source">The Jinja text.</param>
/// <param name="Name">Where it stands, for errors.</param>
/// <param name="BosToken">The text of the token that begins a text; null where the files name none.</param>
/// <param name="EosToken">The text of the token that ends a text; null where the files name none.</param>
public sealed record ChatTemplateText(string Source, string Name, string? BosToken, string? EosToken);

/// <summary>Where a model's chat template stands.</summary>
internal static class ChatTemplateFiles
{
    private const string TemplateFile = "chat_template.jinja";
    private const string ConfigFile = "tokenizer_config.json";
    private const string Field = "chat_template";
    private const string GgufField = "tokenizer.chat_template";
    private const int MaxFileBytes = 1 << 26;
    private const int MaxTokenId = (1 << 24) - 1;

    /// <summary>
    /// A directory's <c>chat_template.jinja</c>, else the field <c>chat_template</c> of its <c>tokenizer_config.json</c>: a text, or a
    /// list of templates with names, of which <c>default</c> is taken. Both tokens are those of <c>tokenizer_config.json</c>.
    /// </summary>
    /// <returns>Null where neither file has one.</returns>
    /// <exception cref="ModelFileException">A file cannot be read or has something else in these fields.</exception>
    public static ChatTemplateText? InDirectory(string directory)
    {
        string file = Path.Combine(directory, TemplateFile);
        string configPath = Path.Combine(directory, ConfigFile);
        JsonValue? config = File.Exists(configPath) ? JsonValue.Load(configPath, MaxFileBytes) : null;
        (string? source, string name) = File.Exists(file)
            ? (ReadText(file), file)
            : (config?.Find(Field) is JsonValue field ? SourceOf(field) : null, $"{configPath}: '{Field}'");
        return source is null ? null : new(source, name, TokenOf(config?.Find("bos_token")), TokenOf(config?.Find("eos_token")));
    }

    /// <summary>GGUF's <c>tokenizer.chat_template</c>, with the spelling of its start and end token; null where there is none.</summary>
    /// <exception cref="ModelFileException">A field is damaged.</exception>
    public static ChatTemplateText? InGguf(GgufMetadata metadata, string path)
    {
        if (metadata.Find(GgufField) is not { } template)
        {
            return null;
        }

        string[] tokens = metadata.Find("tokenizer.ggml.tokens")?.Strings() ?? [];
        string? Token(string key) =>
            metadata.Find(key)?.Integer(0, MaxTokenId) is { } id && id < tokens.Length ? tokens[id] : null;
        return new(template.String(), $"{path}: '{GgufField}'", Token("tokenizer.ggml.bos_token_id"), Token("tokenizer.ggml.eos_token_id"));
    }

    /// <summary>The text of a template's own file.</summary>
    /// <exception cref="ModelFileException">It cannot be read, is too large or is not UTF-8.</exception>
    public static string ReadText(string path)
    {
        using MappedFile file = MappedFile.Open(path);
        if (file.Memory.LengthBytes > MaxFileBytes)
        {
            throw new ModelFileException($"{path}: found {file.Memory.LengthBytes} bytes, more than a template has; check that it is the right file.");
        }

        try
        {
            ReadOnlySpan<byte> bytes = file.Memory.AsSpan();
            bytes = bytes.StartsWith(Encoding.UTF8.Preamble) ? bytes[Encoding.UTF8.Preamble.Length..] : bytes;
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new ModelFileException($"{path}: byte {e.Index} is not UTF-8 text; check that it is a template.", e);
        }
    }

    private static string SourceOf(JsonValue field)
    {
        if (!field.IsArray)
        {
            return field.String();
        }

        foreach (JsonValue named in field.Items())
        {
            if (named.Require("name").String() == "default")
            {
                return named.Require("template").String();
            }
        }

        throw field.Error("none of the templates is named 'default'");
    }

    private static string? TokenOf(JsonValue? field) =>
        field is not JsonValue token ? null : token.IsString ? token.String() : token.Require("content").String();
}
