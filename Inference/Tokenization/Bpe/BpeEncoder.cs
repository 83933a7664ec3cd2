namespace KvIL.Inference.Tokenization.Bpe;

/// <summary>Byte-pair encoding of ordinary text: cut into words, and each word merged.</summary>
/// <remarks>
/// Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.2, for byte-level vocabularies,
/// in which a last step spells the words by <see cref="ByteSymbols"/>.
/// </remarks>
/// <param name="cuts">What cuts text into words, in order.</param>
/// <param name="model">The vocabulary and its merges.</param>
internal sealed class BpeEncoder(IReadOnlyList<IWordCut> cuts, BpeModel model) : ITextEncoder
{
    /// <inheritdoc/>
    public void Encode(string text, TextPlace place, List<int> ids)
    {
        List<ReadOnlyMemory<char>> words = [text.AsMemory()];
        foreach (IWordCut cut in cuts)
        {
            var cutWords = new List<ReadOnlyMemory<char>>();
            for (int i = 0; i < words.Count; i++)
            {
                cut.Cut(words[i], atStart: i == 0 && place == TextPlace.Start, cutWords);
            }

            words = cutWords;
        }

        var merger = new SymbolMerger();
        foreach (ReadOnlyMemory<char> word in words)
        {
            model.Encode(word.Span, merger, ids);
        }
    }
}
