namespace KvIL.Inference.Tokenization.Bpe;

/// <summary>The tokens that text may become under SentencePiece's merges, with what decides their order.</summary>
internal sealed class SentencePieceVocabulary
{
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _pieces;
    private readonly uint[] _ranks;
    private readonly int _longest;

    /// <param name="pieces">The tokens that text may become: no control tokens, no bytes.</param>
    /// <param name="scores">Scores by id; none is NaN.</param>
    public SentencePieceVocabulary(Dictionary<string, int> pieces, float[] scores)
    {
        _pieces = pieces.GetAlternateLookup<ReadOnlySpan<char>>();
        _ranks = Array.ConvertAll(scores, Rank);
        foreach (string piece in pieces.Keys)
        {
            _longest = Math.Max(_longest, piece.Length);
        }
    }

    /// <summary>The token of that spelling; false where there is none.</summary>
    public bool TryFind(ReadOnlySpan<char> text, out int id)
    {
        id = 0;
        return text.Length <= _longest && _pieces.TryGetValue(text, out id);
    }

    /// <summary>The place of a token in the order of merges: the higher its score, the lower.</summary>
    public uint RankOf(int id) => _ranks[id];

    // The bits of a float, made to fall as the number grows.
    private static uint Rank(float score)
    {
        uint bits = BitConverter.SingleToUInt32Bits(score + 0f); // -0 is 0
        return (bits >> 31) == 0 ? ~(bits | 0x8000_0000) : bits;
    }
}
