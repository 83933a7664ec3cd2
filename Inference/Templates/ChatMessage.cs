using System.Text.Json;
using System.Text.Json.Nodes;

namespace KvIL.Inference.Templates;

/// <summary>One message of a conversation: a role, a content, and whatever other fields a template may read.</summary>
public sealed class ChatMessage
{
    private const string ReasoningField = "reasoning_content";
    private const int MostDepth = 64;

    /// <summary>Creates a message of text.</summary>
    /// <param name="role">Such as <c>system</c>, <c>user</c> or <c>assistant</c>.</param>
    /// <param name="content">What is said.</param>
    /// <param name="reasoning">What an assistant thought before, where the template shows it: <c>reasoning_content</c>.</param>
    public ChatMessage(string role, string content, string? reasoning = null)
    {
        ArgumentNullException.ThrowIfNull(role);
        ArgumentNullException.ThrowIfNull(content);
        JsonObject fields = new() { ["role"] = role, ["content"] = content };
        if (reasoning is not null)
        {
            fields[ReasoningField] = reasoning;
        }

        Fields = JsonSerializer.SerializeToElement(fields);
    }

    private ChatMessage(JsonElement fields) => Fields = fields;

    /// <summary>All fields, in their order, as a JSON object.</summary>
    public JsonElement Fields { get; }

    /// <summary>Who speaks; empty where the message does not say.</summary>
    public string Role => Text("role") ?? "";

    /// <summary>What is said; null where it is no text.</summary>
    public string? Content => Text("content");

    /// <summary>The field <c>reasoning_content</c>, if it is there.</summary>
    public string? Reasoning => Text(ReasoningField);

    /// <summary>A message with any fields.</summary>
    /// <exception cref="RequestException">The JSON is no object, or its role is no text.</exception>
    public static ChatMessage FromJson(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw new RequestException("A message is not a JSON object; write {\"role\": ..., \"content\": ...}.");
        }

        return json.TryGetProperty("role", out JsonElement role) && role.ValueKind == JsonValueKind.String
            ? new(json.Clone())
            : throw new RequestException("A message has no role; add \"role\": \"user\", say.");
    }

    /// <summary>Reads a JSON array of messages, or an object with the field <c>messages</c>.</summary>
    /// <param name="utf8">The JSON.</param>
    /// <param name="name">Where it comes from, for errors.</param>
    /// <exception cref="RequestException">It is not that.</exception>
    public static IReadOnlyList<ChatMessage> Parse(ReadOnlySpan<byte> utf8, string name)
    {
        try
        {
            JsonElement json = JsonElement.Parse(utf8, new JsonDocumentOptions { MaxDepth = MostDepth });
            JsonElement messages = json.ValueKind == JsonValueKind.Object && json.TryGetProperty("messages", out JsonElement field) ? field : json;
            return messages.ValueKind == JsonValueKind.Array
                ? [.. messages.EnumerateArray().Select(FromJson)]
                : throw new RequestException("There is no list of messages; write [{\"role\": \"user\", \"content\": ...}], or an object with such a list as \"messages\".");
        }
        catch (RequestException failure)
        {
            throw new RequestException($"{name}: {failure.Message}");
        }
        catch (JsonException failure)
        {
            throw new RequestException(
                $"{name}: not JSON, or nested deeper than {MostDepth} levels, at line {failure.LineNumber + 1}; correct the messages.");
        }
    }

    private string? Text(string name) =>
        Fields.TryGetProperty(name, out JsonElement field) && field.ValueKind == JsonValueKind.String ? Values.JsonText.String(field) : null;
}
