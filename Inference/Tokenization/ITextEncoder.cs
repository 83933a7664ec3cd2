namespace KvIL.Inference.Tokenization;

/// <summary>Turns ordinary text, in which no added token is left, into ids. Safe for concurrent use.</summary>
internal interface ITextEncoder
{
    /// <summary>Appends the ids of a text.</summary>
    /// <param name="text">Valid UTF-16; not empty.</param>
    /// <param name="place">What stands before it.</param>
    /// <param name="ids">Where the ids go.</param>
    void Encode(string text, TextPlace place, List<int> ids);
}

/// <summary>What stands before a piece of ordinary text.</summary>
internal enum TextPlace
{
    /// <summary>Nothing.</summary>
    Start,

    /// <summary>An added token.</summary>
    AfterToken,
}
