using System.Text.Json;
using System.Text.Json.Nodes;
using KvIL.Inference.Templates.Builtins;
using KvIL.Inference.Templates.Syntax;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates;

/// <summary>What a rendering needs beside the messages.</summary>
public sealed record ChatTemplateOptions
{
    /// <summary>Whether the text ends with the head of the assistant's answer.</summary>
    public bool AddGenerationPrompt { get; init; } = true;

    /// <summary>The text of the token that begins a text; null where the model has none.</summary>
    public string? BosToken { get; init; }

    /// <summary>The text of the token that ends a text; null where the model has none.</summary>
    public string? EosToken { get; init; }

    /// <summary>Other variables, such as <c>enable_thinking</c>; they replace those that KvIL sets.</summary>
    public IReadOnlyDictionary<string, JsonNode?> Variables { get; init; } = new Dictionary<string, JsonNode?>();

    /// <summary>The time that <c>strftime_now</c> shows, as the clock at its offset shows it; null for the local time now.</summary>
    public DateTimeOffset? Now { get; init; }
}

/// <summary>The template that makes a prompt of a conversation: the Jinja text in a model's files, executed.</summary>
/// <remarks>
/// The language is Jinja 3.1 as <c>transformers</c> sets it up for chat templates (<c>trim_blocks</c>,
/// <c>lstrip_blocks</c>, loop controls, <c>generation</c>, no escaping, an immutable sandbox), and values behave as
/// Python's do. Templates of several files are refused. A rendering that takes too many steps or too much memory is
/// stopped. A template may be rendered from several threads at once.
/// </remarks>
public sealed class ChatTemplate
{
    private readonly IReadOnlyList<Statement> _body;

    private ChatTemplate(string name, IReadOnlyList<Statement> body)
    {
        Name = name;
        _body = body;
    }

    /// <summary>Where it comes from, for errors.</summary>
    public string Name { get; }

    /// <summary>Reads a template.</summary>
    /// <param name="source">Its text.</param>
    /// <param name="name">Where it comes from, for errors.</param>
    /// <exception cref="TemplateException">The text is not a template, or needs what chat templates cannot have.</exception>
    public static ChatTemplate Parse(string source, string name)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new(name, TemplateParser.Parse(source, name));
    }

    /// <summary>The prompt.</summary>
    /// <exception cref="TemplateException">The template fails, does not end, or refuses the messages.</exception>
    /// <exception cref="RequestException">A message or a variable has what no template can read.</exception>
    public string Render(IReadOnlyList<ChatMessage> messages, ChatTemplateOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(messages);
        options ??= new();
        long chars = messages.Sum(message => (long)message.Fields.GetRawText().Length);
        Rendering run = new(Name, (options.Now ?? DateTimeOffset.Now).DateTime, messages.Count, chars);
        Scope globals = new(null);
        Functions.Define(globals);
        Scope context = new(globals);
        Define(context, messages, options);
        return new Renderer(run).Render(_body, context);
    }

    private static void Define(Scope context, IReadOnlyList<ChatMessage> messages, ChatTemplateOptions options)
    {
        context.Set("messages", new ListValue([.. messages.Select(ValueOf)]));
        context.Set("tools", NoneValue.Instance);
        context.Set("documents", NoneValue.Instance);
        context.Set("add_generation_prompt", BooleanValue.Of(options.AddGenerationPrompt));
        if (options.BosToken is not null)
        {
            context.Set("bos_token", new TextValue(options.BosToken));
        }

        if (options.EosToken is not null)
        {
            context.Set("eos_token", new TextValue(options.EosToken));
        }

        foreach ((string name, JsonNode? value) in options.Variables)
        {
            context.Set(name, JsonText.Read(JsonSerializer.SerializeToElement(value)));
        }
    }

    // As transformers has it, what an assistant thought is visible under two names.
    private static DictValue ValueOf(ChatMessage message)
    {
        DictValue fields = (DictValue)JsonText.Read(message.Fields);
        if (fields.Find("reasoning_content") is { } reasoning && fields.Find("thinking") is null)
        {
            fields.Set("thinking", reasoning);
        }

        return fields;
    }
}
