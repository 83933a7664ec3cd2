namespace KvIL.Inference.Tokenization;

/// <summary>Tokens after which a chat model waits for an answer.</summary>
/// <remarks>
/// Files name one end token; chat models end their turns with others, which are known by their spelling alone. The list, and
/// its two exceptions, are llama.cpp's (its end-of-generation tokens), fill-in-the-middle marks included.
/// </remarks>
internal static class EndOfTurn
{
    /// <summary>Spellings that end a turn in every vocabulary that has them.</summary>
    public static IReadOnlyList<string> Spellings { get; } =
    [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>",
        "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>",
        "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~[",
    ];

    // The first of each row that the vocabulary has: what fills, names a repository, parts files in fill-in-the-middle.
    private static readonly string[][] s_fillInTheMiddle =
    [
        ["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"],
        ["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"],
        ["<|file_sep|>"],
    ];

    /// <summary>The ids, ascending.</summary>
    /// <param name="vocabulary">The vocabulary.</param>
    /// <param name="named">What the files name; always among them.</param>
    public static IReadOnlyList<int> Find(Vocabulary vocabulary, IReadOnlyList<int> named)
    {
        SortedSet<int> ids = [.. named, .. Spellings.Select(vocabulary.Find).OfType<int>()];
        foreach (string[] row in s_fillInTheMiddle)
        {
            if (row.Select(vocabulary.Find).FirstOrDefault(id => id is not null) is { } id)
            {
                ids.Add(id);
            }
        }

        // Where "<|end|>" only ends a part of a turn, other tokens end the turn.
        bool Has(params string[] spellings) => spellings.Any(spelling => vocabulary.Find(spelling) is not null);
        if (Has("<|call|>", "<|calls|>") && Has("<|return|>", "<|flush|>"))
        {
            Remove("<|end|>");
        }

        if (Has("<|tool_response>"))
        {
            Remove("</s>");
        }

        return [.. ids];

        void Remove(string spelling)
        {
            if (vocabulary.Find(spelling) is { } id)
            {
                ids.Remove(id);
            }
        }
    }
}
