namespace KvIL.Inference.Tokenization.Patterns;

/// <summary>What a pattern asserts at a place without taking a character.</summary>
internal enum Anchor
{
    /// <summary>At the text's start, or after a line feed.</summary>
    LineStart,

    /// <summary>At the text's end, or before a line feed.</summary>
    LineEnd,

    /// <summary>At the text's start.</summary>
    TextStart,

    /// <summary>At the text's end.</summary>
    TextEnd,

    /// <summary>Between a word character and something else.</summary>
    WordBoundary,

    /// <summary>Anywhere else.</summary>
    NoWordBoundary,
}

/// <summary>How often, and in which order, a repetition tries its counts.</summary>
internal enum Greed
{
    /// <summary>The most first.</summary>
    Greedy,

    /// <summary>The fewest first.</summary>
    Lazy,

    /// <summary>The most, and nothing else.</summary>
    Possessive,
}

/// <summary>A pattern as a tree.</summary>
internal abstract record PatternNode
{
    /// <summary>One character of a set.</summary>
    internal sealed record OneOf(RuneSet Set) : PatternNode;

    /// <summary>One part after the other; none matches the empty text.</summary>
    internal sealed record Sequence(IReadOnlyList<PatternNode> Parts) : PatternNode;

    /// <summary>The first part that lets the rest match.</summary>
    internal sealed record Choice(IReadOnlyList<PatternNode> Parts) : PatternNode;

    /// <summary>A part from <paramref name="Least"/> to <paramref name="Most"/> times; null for without end.</summary>
    internal sealed record Repeat(PatternNode Part, int Least, int? Most, Greed Greed) : PatternNode;

    /// <summary>A part that must, or must not, match here; it takes nothing.</summary>
    internal sealed record Look(PatternNode Part, bool Wanted) : PatternNode;

    /// <summary>A place.</summary>
    internal sealed record At(Anchor Anchor) : PatternNode;
}
