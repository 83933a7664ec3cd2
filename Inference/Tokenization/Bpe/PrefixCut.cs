namespace KvIL.Inference.Tokenization.Bpe;

/// <summary>Puts a blank before each text that does not start with one; cuts nothing.</summary>
internal sealed class PrefixCut(char blank) : IWordCut
{
    /// <inheritdoc/>
    public void Cut(ReadOnlyMemory<char> text, bool atStart, List<ReadOnlyMemory<char>> words) =>
        words.Add(text.Span[0] == blank ? text : (blank + text.ToString()).AsMemory());
}
