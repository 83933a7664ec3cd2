using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvIL.Inference.Files;
using KvIL.Inference.Templates;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil template</c>: the prompt that a chat template makes of a conversation.</summary>
internal sealed class TemplateCommand
{
    private readonly CommandContext _context;

    private readonly Argument<string> _source = new("MODEL")
    {
        Description = "Directory with tokenizer_config.json or chat_template.jinja, a GGUF file, or a template's own file.",
    };

    private readonly Option<string> _messages = new("--messages")
    {
        HelpName = "FILE.json",
        Required = true,
        Description = "A JSON array of messages, or an object with one as \"messages\"; - for the standard input.",
    };

    private readonly Option<bool> _noGenerationPrompt = new("--no-generation-prompt")
    {
        Description = "Ends with the last message, without the head of an answer.",
    };

    private readonly Option<string[]> _variables = new("--var")
    {
        HelpName = "NAME=VALUE",
        Description = "A variable of the template: JSON where the value is JSON, else text; may be given many times.",
    };

    private readonly Option<string> _date = new("--date")
    {
        HelpName = "ISO",
        Description = "The local time that the template sees, such as 2025-03-09 or 2025-03-09T14:05:06; now unless said.",
    };

    private TemplateCommand(CommandContext context) => _context = context;

    public static Command Create(CommandContext context)
    {
        TemplateCommand template = new(context);
        Command command = new("template", "Shows the prompt that a chat template makes of messages.")
        {
            template._source, template._messages, template._noGenerationPrompt, template._variables, template._date,
        };
        command.SetAction(template.Execute);
        return command;
    }

    private int Execute(ParseResult parse)
    {
        string source = parse.GetValue(_source) is { Length: > 0 } path
            ? path : throw new UsageException("MODEL is empty; name a model's directory or a template's file.");
        string messages = parse.GetValue(_messages) is { Length: > 0 } file
            ? file : throw new UsageException("--messages is empty; name a JSON file, or - for the standard input.");
        Dictionary<string, JsonNode?> variables = ReadVariables(parse.GetValue(_variables) ?? []);
        DateTimeOffset? now = ReadDate(parse.GetValue(_date));

        ModelChatTemplate found = Open(source);
        IReadOnlyList<ChatMessage> conversation = ReadMessages(messages);
        string prompt = found.Render(conversation, new()
        {
            AddGenerationPrompt = !parse.GetValue(_noGenerationPrompt),
            Variables = variables,
            Now = now,
        });
        _context.Terminal.Emit(prompt);
        _context.Terminal.EndLine();
        return App.Success;
    }

    // A file that is no model is a template.
    private static ModelChatTemplate Open(string path) =>
        !Directory.Exists(path) && !GgufFile.HasMagic(path)
            ? new(ChatTemplates.Load(path), null, null)
            : ChatTemplates.Find(path) ?? throw new ModelFileException(
                $"{path}: the model has no chat template; give a template's file in place of the model.");

    private IReadOnlyList<ChatMessage> ReadMessages(string file) => ChatMessage.Parse(
        PromptSource.ReadBytes(file, _context.Terminal, "--messages", "a JSON file"), file == "-" ? "standard input" : file);

    private static Dictionary<string, JsonNode?> ReadVariables(string[] given)
    {
        Dictionary<string, JsonNode?> variables = [];
        foreach (string text in given)
        {
            int at = text.IndexOf('=', StringComparison.Ordinal);
            if (at <= 0)
            {
                throw new UsageException($"--var needs NAME=VALUE, got '{text}'.");
            }

            variables[text[..at]] = ReadValue(text[(at + 1)..]);
        }

        return variables;
    }

    private static JsonNode? ReadValue(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return JsonValue.Create(text);
        }
    }

    private static DateTimeOffset? ReadDate(string? text) => text is null ? null
        : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal, out DateTimeOffset date)
            ? date
            : throw new UsageException($"--date needs a date such as 2025-03-09 or 2025-03-09T14:05:06, got '{text}'.");
}
