using System.Text;

namespace KvIL.Inference.Tokenization.Bpe;

/// <summary>SentencePiece's byte-pair encoding with byte fallback, over a whole text at once.</summary>
/// <remarks>
/// Kudo and Richardson 2018, "SentencePiece". Blanks become <paramref name="blank"/>; characters are merged by score; one
/// that forms no token gives the tokens of its UTF-8 bytes, and a byte without a token gives the unknown token.
/// </remarks>
/// <param name="vocabulary">The tokens.</param>
/// <param name="byteIds">The tokens of bytes; null for one that is missing.</param>
/// <param name="unknownId">The token in place of such a byte; null for none.</param>
/// <param name="blank">What a blank is spelled as.</param>
/// <param name="addsBlank">Whether a blank goes before a text, and before each text that follows a token.</param>
internal sealed class SentencePieceEncoder(
    SentencePieceVocabulary vocabulary, int?[] byteIds, int? unknownId, char blank, bool addsBlank) : ITextEncoder
{
    private const int Unmerged = -1;

    /// <inheritdoc/>
    public void Encode(string text, TextPlace place, List<int> ids)
    {
        text = (addsBlank ? blank + text : text).Replace(' ', blank);
        var merger = new SymbolMerger();
        foreach (Rune rune in text.EnumerateRunes())
        {
            merger.Add(Unmerged, rune.Utf16SequenceLength);
        }

        merger.Merge(new ScoreRule(vocabulary, text));
        foreach (SymbolMerger.Symbol symbol in merger.Symbols)
        {
            ReadOnlySpan<char> spelling = text.AsSpan(symbol.Start, symbol.Length);
            if (symbol.Id != Unmerged)
            {
                ids.Add(symbol.Id);
            }
            else if (vocabulary.TryFind(spelling, out int id))
            {
                ids.Add(id);
            }
            else
            {
                AddBytes(spelling, ids);
            }
        }
    }

    private void AddBytes(ReadOnlySpan<char> character, List<int> ids)
    {
        Span<byte> utf8 = stackalloc byte[4];
        int length = Encoding.UTF8.GetBytes(character, utf8);
        foreach (byte value in utf8[..length])
        {
            if ((byteIds[value] ?? unknownId) is { } id)
            {
                ids.Add(id);
            }
        }
    }
}
