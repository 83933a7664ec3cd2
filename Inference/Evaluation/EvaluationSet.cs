using KvIL.Inference.Files;

namespace KvIL.Inference.Evaluation;

/// <summary>A prompt, and the answer that the model should continue it with.</summary>
/// <param name="Line">Line of the file it stands on, counted from 1.</param>
/// <param name="Prompt">What the model is given.</param>
/// <param name="Answer">The expected continuation, with its leading space if it has one.</param>
public sealed record EvaluationItem(int Line, string Prompt, string Answer);

/// <summary>Reads evaluation sets: one JSON object a line, with the strings <c>prompt</c> and <c>answer</c>.</summary>
public static class EvaluationSet
{
    /// <summary>Reads the set at <paramref name="path"/>, or its first <paramref name="limit"/> items.</summary>
    /// <remarks>Blank lines are skipped, other fields ignored; lines after the limit are not looked at.</remarks>
    /// <param name="path">The file, below 2 GiB.</param>
    /// <param name="limit">At least 1; null for all.</param>
    /// <exception cref="ModelFileException">The file cannot be read, a line is bad, or there is no item.</exception>
    public static IReadOnlyList<EvaluationItem> Load(string path, int? limit = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit ?? 1, 1, nameof(limit));
        using MappedFile file = MappedFile.Open(path);
        if (file.Memory.LengthBytes > int.MaxValue)
        {
            throw new ModelFileException($"{path}: expected less than 2 GiB; split the set into several files.");
        }

        ReadOnlySpan<byte> text = file.Memory.AsSpan();
        ReadOnlySpan<byte> byteOrderMark = [0xEF, 0xBB, 0xBF]; // some editors and shells write one
        text = text.StartsWith(byteOrderMark) ? text[byteOrderMark.Length..] : text;
        var items = new List<EvaluationItem>();
        int line = 0;
        foreach (Range range in text.Split((byte)'\n'))
        {
            line++;
            ReadOnlySpan<byte> json = text[range].Trim(" \t\r"u8);
            if (json.IsEmpty)
            {
                continue;
            }

            JsonValue item = JsonValue.Parse(json, path, line);
            items.Add(new EvaluationItem(line, item.Require("prompt").String(), item.Require("answer").String()));
            if (items.Count == limit)
            {
                break;
            }
        }

        return items.Count > 0
            ? items
            : throw new ModelFileException(
                $"{path}: the evaluation set has no items; name a JSONL file with prompts and answers.");
    }
}
