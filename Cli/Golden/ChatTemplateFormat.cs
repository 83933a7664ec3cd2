using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvIL.Inference;
using KvIL.Inference.Templates;

namespace KvIL.Cli.Golden;

/// <summary>Prompts that <c>transformers</c> renders: <c>vectors.json</c> with templates, conversations and vectors.</summary>
/// <remarks>
/// A vector has the exact text, or an error: of <c>raise_exception</c> the message is part of it (TemplateError), of any
/// other failure only that it fails.
/// </remarks>
internal sealed class ChatTemplateFormat : IGoldenFormat
{
    private const string File = "vectors.json";
    private const int MostFailures = 20;
    private const int Before = 24;
    private const int After = 48;

    public string Name => "chat-templates";

    public string Sign => "vectors.json with the fields templates, conversations and vectors";

    public bool Recognises(string directory)
    {
        string path = Path.Combine(directory, File);
        if (!System.IO.File.Exists(path))
        {
            return false;
        }

        // One that is damaged is taken for this format, so that the run says where.
        byte[] start = new byte[1 << 16];
        using FileStream stream = System.IO.File.OpenRead(path);
        string head = Encoding.UTF8.GetString(start, 0, stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false));
        return head.Contains("\"templates\"", StringComparison.Ordinal);
    }

    public GoldenResult Run(string directory, GoldenOptions options)
    {
        string path = Path.Combine(directory, File);
        try
        {
            using JsonDocument document = JsonDocument.Parse(System.IO.File.ReadAllBytes(path));
            return Run(directory, document.RootElement, options.Cancelled);
        }
        catch (JsonException e)
        {
            throw new IOException($"{path}: the vectors are damaged at line {e.LineNumber + 1}; get the folder again.", e);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new IOException($"{path}: the vectors are damaged, as a field is missing or has another type than it should; get the folder again.", e);
        }
    }

    private static GoldenResult Run(string directory, JsonElement root, CancellationToken cancelled)
    {
        DateTimeOffset now = DateTimeOffset.Parse(root.GetProperty("now").GetString()!, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
        Dictionary<string, JsonElement> templates = root.GetProperty("templates").EnumerateObject().ToDictionary(t => t.Name, t => t.Value);
        Dictionary<string, IReadOnlyList<ChatMessage>> conversations = root.GetProperty("conversations").EnumerateObject()
            .ToDictionary(c => c.Name, c => (IReadOnlyList<ChatMessage>)[.. c.Value.EnumerateArray().Select(ChatMessage.FromJson)]);
        List<GoldenFailure> failures = [];
        List<GoldenGroup> groups = [];
        foreach (IGrouping<string, JsonElement> group in root.GetProperty("vectors").EnumerateArray().GroupBy(v => v.GetProperty("template").GetString()!))
        {
            JsonElement entry = templates[group.Key];
            string source = ReadTemplate(directory, entry);
            Lazy<ChatTemplate> template = new(() => ChatTemplate.Parse(source, entry.GetProperty("file").GetString()!));
            int failed = 0;
            foreach (JsonElement vector in group)
            {
                cancelled.ThrowIfCancellationRequested();
                if (Check(vector, entry, template, conversations[vector.GetProperty("conversation").GetString()!], now) is string difference)
                {
                    failed++;
                    failures.Add(new(vector.GetProperty("id").GetString()!, difference));
                }
            }

            groups.Add(new(group.Key, group.Count() - failed, failed, 0));
        }

        return new("chat-templates", "template", groups, [.. failures.Take(MostFailures)]);
    }

    private static string ReadTemplate(string directory, JsonElement entry)
    {
        string name = entry.GetProperty("file").GetString()!;
        string path = Path.Combine(directory, name);
        if (Path.IsPathRooted(name) || name.Split('/', '\\').Contains(".."))
        {
            throw new IOException($"{path}: a template lies outside the folder; get the folder again.");
        }

        byte[] bytes = System.IO.File.Exists(path)
            ? System.IO.File.ReadAllBytes(path) : throw new IOException($"{path}: the template is missing; get the folder again.");
        bool damaged = entry.TryGetProperty("sha256", out JsonElement hash)
            && !Convert.ToHexString(SHA256.HashData(bytes)).Equals(hash.GetString(), StringComparison.OrdinalIgnoreCase);
        return damaged ? throw new IOException($"{path}: the template is not the one that the vectors were made with (another SHA-256); get the folder again.")
            : Encoding.UTF8.GetString(bytes);
    }

    // The difference; null where there is none.
    private static string? Check(JsonElement vector, JsonElement entry, Lazy<ChatTemplate> template, IReadOnlyList<ChatMessage> messages, DateTimeOffset now)
    {
        bool fails = vector.TryGetProperty("error", out JsonElement error) && error.GetBoolean();
        string? expected = fails ? null : vector.GetProperty("expected").GetString();
        string? message = fails && vector.GetProperty("error_type").GetString() == "TemplateError" ? vector.GetProperty("message").GetString() : null;
        ChatTemplateOptions options = new()
        {
            AddGenerationPrompt = vector.GetProperty("add_generation_prompt").GetBoolean(),
            BosToken = entry.GetProperty("bos_token").GetString(),
            EosToken = entry.GetProperty("eos_token").GetString(),
            Variables = vector.GetProperty("variables").EnumerateObject().ToDictionary(v => v.Name, v => JsonNode.Parse(v.Value.GetRawText())),
            Now = now,
        };
        try
        {
            string text = template.Value.Render(messages, options);
            return expected is null ? $"expected an error{(message is null ? "" : $" {Show(message)}")}, got {Show(Clip(text, 0))}" : Difference(expected, text);
        }
        catch (TemplateException e) when (expected is null)
        {
            return message is null || message == e.RaisedMessage ? null : $"expected the error {Show(message)}, got {e.Message}";
        }
        catch (Exception e) when (e is TemplateException or RequestException)
        {
            return $"expected {Show(Clip(expected ?? "", 0))}, got the error {e.Message}";
        }
    }

    /// <summary>Both texts around the first character where they differ; null where they are equal.</summary>
    internal static string? Difference(string expected, string got)
    {
        if (expected == got)
        {
            return null;
        }

        int at = expected.AsSpan().CommonPrefixLength(got);
        return $"at character {at}: expected {Show(Clip(expected, at))}, got {Show(Clip(got, at))}";
    }

    private static string Clip(string text, int at)
    {
        int from = Math.Max(0, at - Before);
        int to = Math.Min(text.Length, at + After);
        return (from > 0 ? "…" : "") + text[from..to] + (to < text.Length ? "…" : "");
    }

    private static string Show(string text) => JsonSerializer.Serialize(text, Readable);

    private static JsonSerializerOptions Readable { get; } = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
