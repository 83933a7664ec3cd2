using KvIL.Inference.Tokenization.Patterns;

namespace KvIL.Inference.Tokenization.Bpe;

/// <summary>What becomes of the matches of a pattern that cuts; names as in the <c>tokenizers</c> library.</summary>
internal enum CutBehavior
{
    /// <summary>Each is a word.</summary>
    Isolated,

    /// <summary>They are left out.</summary>
    Removed,

    /// <summary>Each ends the word before it.</summary>
    MergedWithPrevious,

    /// <summary>Each begins the word after it.</summary>
    MergedWithNext,

    /// <summary>Matches in a row are one word.</summary>
    Contiguous,
}

/// <summary>Cuts text at the matches of a pattern; what lies between two matches is a word too.</summary>
/// <param name="pattern">The pattern.</param>
/// <param name="behavior">What becomes of its matches.</param>
/// <param name="invert">Whether what lies between counts as match, and the matches as what lies between.</param>
internal sealed class PatternCut(Pattern pattern, CutBehavior behavior = CutBehavior.Isolated, bool invert = false) : IWordCut
{
    /// <inheritdoc/>
    public void Cut(ReadOnlyMemory<char> text, bool atStart, List<ReadOnlyMemory<char>> words)
    {
        List<Piece> pieces = Pieces(text.Span);
        if (behavior == CutBehavior.MergedWithNext)
        {
            pieces.Reverse();
        }

        int firstWord = words.Count;
        Piece? open = null;
        foreach (Piece piece in pieces)
        {
            if (behavior == CutBehavior.Removed && piece.IsMatch)
            {
                continue;
            }

            if (open is { } before && Joins(before, piece))
            {
                open = new Piece(Math.Min(before.Start, piece.Start), Math.Max(before.End, piece.End), piece.IsMatch);
                continue;
            }

            Add(open);
            open = piece;
        }

        Add(open);
        if (behavior == CutBehavior.MergedWithNext)
        {
            words.Reverse(firstWord, words.Count - firstWord);
        }

        void Add(Piece? piece)
        {
            if (piece is { } word)
            {
                words.Add(text[word.Start..word.End]);
            }
        }
    }

    private bool Joins(Piece before, Piece piece) => behavior switch
    {
        CutBehavior.MergedWithPrevious or CutBehavior.MergedWithNext => piece.IsMatch && !before.IsMatch,
        CutBehavior.Contiguous => piece.IsMatch == before.IsMatch,
        _ => false,
    };

    private List<Piece> Pieces(ReadOnlySpan<char> text)
    {
        var pieces = new List<Piece>();
        int done = 0;
        PatternMatcher matcher = pattern.Match(text);
        while (matcher.Next(out int start, out int end))
        {
            Add(done, start, isMatch: false);
            Add(start, end, isMatch: true);
            done = end;
        }

        Add(done, text.Length, isMatch: false);
        return pieces;

        void Add(int start, int end, bool isMatch)
        {
            if (end > start)
            {
                pieces.Add(new Piece(start, end, isMatch != invert));
            }
        }
    }

    private readonly record struct Piece(int Start, int End, bool IsMatch);
}
