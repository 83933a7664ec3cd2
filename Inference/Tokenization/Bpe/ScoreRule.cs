namespace KvIL.Inference.Tokenization.Bpe;

/// <summary>SentencePiece's merges: any neighbours that together spell a token; the token of highest score first.</summary>
/// <remarks>Kudo and Richardson 2018, "SentencePiece"; <c>bpe_model.cc</c> there.</remarks>
internal sealed class ScoreRule(SentencePieceVocabulary vocabulary, string text) : MergeRule
{
    /// <inheritdoc/>
    public override bool TryMerge(int left, int right, int start, int length, out Merge merge)
    {
        bool found = vocabulary.TryFind(text.AsSpan(start, length), out int id);
        merge = found ? new Merge(vocabulary.RankOf(id), id) : default;
        return found;
    }
}
