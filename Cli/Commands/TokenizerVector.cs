using System.Text.Json;
using KvIL.Inference.Tokenization;

namespace KvIL.Cli.Commands;

/// <summary>A text and the ids that it must give, without a start token.</summary>
/// <param name="Text">The text.</param>
/// <param name="Ids">The ids.</param>
/// <param name="Special">Whether the spelling of special tokens means those tokens.</param>
/// <param name="Lossy">Whether decoding need not give the text back.</param>
internal sealed record TokenizerVector(string Text, int[] Ids, bool Special, bool Lossy)
{
    /// <summary>Reads a JSON array of objects with "text" and "ids", perhaps "special" and "lossy"; other fields are left alone.</summary>
    /// <exception cref="IOException">The file cannot be read, or is something else; the message is a sentence.</exception>
    public static IReadOnlyList<TokenizerVector> Read(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            return document.RootElement.ValueKind == JsonValueKind.Array
                ? [.. document.RootElement.EnumerateArray().Select((entry, i) => ReadEntry(path, entry, i))]
                : throw new IOException($"{path}: expected an array of objects with \"text\" and \"ids\".");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new IOException($"{path}: there is no such file; --check names a JSON file.", e);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or ArgumentException)
        {
            throw new IOException($"{path}: cannot be read as a file; --check names a JSON file.", e);
        }
        catch (JsonException e)
        {
            throw new IOException($"{path}: not JSON at line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1} of the line; correct the file.", e);
        }
    }

    /// <summary>What is wrong with what the tokenizer gives; null where nothing is.</summary>
    public VectorFailure? Test(ITokenizer tokenizer, int entry)
    {
        int[] got = tokenizer.Encode(Text, addBos: false, Special);
        if (!got.AsSpan().SequenceEqual(Ids))
        {
            return new(entry, Text, Ids, got, null);
        }

        string decoded = tokenizer.Decode(got, skipSpecial: false);
        return Lossy || decoded == Text ? null : new(entry, Text, Ids, got, decoded);
    }

    private static TokenizerVector ReadEntry(string path, JsonElement entry, int index)
    {
        if (entry.ValueKind != JsonValueKind.Object
            || !entry.TryGetProperty("text", out JsonElement text) || text.ValueKind != JsonValueKind.String
            || !entry.TryGetProperty("ids", out JsonElement ids) || ids.ValueKind != JsonValueKind.Array)
        {
            throw new IOException($"{path}: entry {index} is not an object with a string \"text\" and an array \"ids\"; correct the file.");
        }

        return new(
            ReadText(path, text, index),
            [.. ids.EnumerateArray().Select(id => id.ValueKind == JsonValueKind.Number && id.TryGetInt32(out int value)
                ? value
                : throw new IOException($"{path}: entry {index} has an id that is no whole number; correct the file."))],
            IsTrue(entry, "special"), IsTrue(entry, "lossy"));
    }

    private static string ReadText(string path, JsonElement text, int index)
    {
        try
        {
            return text.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new IOException($"{path}: entry {index} has a text that is not valid Unicode; correct the file.", e);
        }
    }

    private static bool IsTrue(JsonElement entry, string name) =>
        entry.TryGetProperty(name, out JsonElement flag) && flag.ValueKind == JsonValueKind.True;
}

/// <summary>A vector that a tokenizer does not give.</summary>
/// <param name="Entry">Its place in the file.</param>
/// <param name="Text">The text.</param>
/// <param name="Expected">The ids that it must give.</param>
/// <param name="Got">The ids that it gave.</param>
/// <param name="Decoded">What these decode to, where that is what is wrong.</param>
internal sealed record VectorFailure(int Entry, string Text, int[] Expected, int[] Got, string? Decoded);
