using System.Text;
using KvIL.Inference.Files;

namespace KvIL.Inference.Templates;

/// <summary>A model's chat template with the tokens that it may name.</summary>
/// <param name="Template">The template.</param>
/// <param name="BosToken">The text of the token that begins a text; null where the files name none.</param>
/// <param name="EosToken">The text of the token that ends a text; null where the files name none.</param>
public sealed record ModelChatTemplate(ChatTemplate Template, string? BosToken, string? EosToken);

/// <summary>Finds the chat template of a model in a directory.</summary>
public static class ChatTemplates
{
    private const string TemplateFile = "chat_template.jinja";
    private const string ConfigFile = "tokenizer_config.json";
    private const string Field = "chat_template";
    private const long MostBytes = 64 << 20;

    /// <summary>
    /// The template in <c>chat_template.jinja</c>, else the field <c>chat_template</c> of <c>tokenizer_config.json</c>: a
    /// text, or a list of templates with names, of which <c>default</c> is taken. Both tokens are those of
    /// <c>tokenizer_config.json</c>.
    /// </summary>
    /// <returns>Null where neither file has a template.</returns>
    /// <exception cref="ModelFileException">A file cannot be read or has something else in these fields.</exception>
    /// <exception cref="TemplateException">The text is not a template.</exception>
    public static ModelChatTemplate? Find(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        string templatePath = Path.Combine(directory, TemplateFile);
        string configPath = Path.Combine(directory, ConfigFile);
        JsonValue? config = File.Exists(configPath) ? JsonValue.Load(configPath, MostBytes) : null;
        ChatTemplate? template = File.Exists(templatePath) ? Load(templatePath)
            : config?.Find(Field) is JsonValue field && Source(field) is string source ? ChatTemplate.Parse(source, $"{configPath}: '{Field}'")
            : null;
        return template is null ? null : new(template, Token(config?.Find("bos_token")), Token(config?.Find("eos_token")));
    }

    /// <summary>Reads a template from a file of its own.</summary>
    /// <exception cref="ModelFileException">The file cannot be read or is not UTF-8 text.</exception>
    /// <exception cref="TemplateException">The text is not a template.</exception>
    public static ChatTemplate Load(string path)
    {
        using MappedFile file = MappedFile.Open(path);
        if (file.Memory.LengthBytes > MostBytes)
        {
            throw new ModelFileException($"{path}: found {file.Memory.LengthBytes} bytes, more than a template has; check that it is the right file.");
        }

        try
        {
            ReadOnlySpan<byte> bytes = file.Memory.AsSpan();
            bytes = bytes.StartsWith(Encoding.UTF8.Preamble) ? bytes[Encoding.UTF8.Preamble.Length..] : bytes;
            return ChatTemplate.Parse(new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes), path);
        }
        catch (DecoderFallbackException e)
        {
            throw new ModelFileException($"{path}: byte {e.Index} is not UTF-8 text; check that it is a template.", e);
        }
    }

    private static string? Source(JsonValue field)
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

    private static string? Token(JsonValue? field) =>
        field is not JsonValue token ? null : token.IsString ? token.String() : token.Require("content").String();
}
