using KvIL.Inference.Tokenization.Patterns;

namespace KvIL.Inference.Tokenization.Bpe;

/// <summary>Spells blanks as another character, and cuts before each: SentencePiece's words.</summary>
/// <param name="blank">What a blank is spelled as.</param>
/// <param name="always">Whether one goes before every text that does not start with it.</param>
/// <param name="first">Whether one goes before the first text only.</param>
/// <param name="splits">Whether it cuts at all.</param>
internal sealed class Metaspace(char blank, bool always, bool first, bool splits) : IWordCut
{
    private readonly PatternCut _cut = new(Pattern.Parse(Pattern.Escape(blank.ToString())), CutBehavior.MergedWithNext);

    /// <inheritdoc/>
    public void Cut(ReadOnlyMemory<char> text, bool atStart, List<ReadOnlyMemory<char>> words)
    {
        string spelled = text.ToString().Replace(' ', blank);
        if ((always || (first && atStart)) && spelled[0] != blank)
        {
            spelled = blank + spelled;
        }

        if (splits)
        {
            _cut.Cut(spelled.AsMemory(), atStart, words);
        }
        else
        {
            words.Add(spelled.AsMemory());
        }
    }
}
