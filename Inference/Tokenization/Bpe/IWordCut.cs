namespace KvIL.Inference.Tokenization.Bpe;

/// <summary>A step that cuts text into words, which merges stay within. Safe for concurrent use.</summary>
internal interface IWordCut
{
    /// <summary>Appends the words of a text; none is empty.</summary>
    /// <param name="text">The text, or a word that an earlier step cut.</param>
    /// <param name="atStart">Whether it is the beginning of all.</param>
    /// <param name="words">Where the words go.</param>
    void Cut(ReadOnlyMemory<char> text, bool atStart, List<ReadOnlyMemory<char>> words);
}
