namespace KvIL.Inference.Tokenization.Bpe;

/// <summary>Spells each word by the symbols of its UTF-8 bytes, <see cref="ByteSymbols"/>; cuts nothing.</summary>
internal sealed class ByteSpelling : IWordCut
{
    /// <inheritdoc/>
    public void Cut(ReadOnlyMemory<char> text, bool atStart, List<ReadOnlyMemory<char>> words) =>
        words.Add(ByteSymbols.Spell(text.Span));
}
