namespace KvIL.Inference.Tokenization.Bpe;

/// <summary>Spells blanks as another character; cuts nothing.</summary>
internal sealed class BlankCut(char blank) : IWordCut
{
    /// <inheritdoc/>
    public void Cut(ReadOnlyMemory<char> text, bool atStart, List<ReadOnlyMemory<char>> words) =>
        words.Add(text.ToString().Replace(' ', blank).AsMemory());
}
