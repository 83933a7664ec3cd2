namespace KvIL.Inference.Tokenization;

/// <summary>A token, or ordinary text.</summary>
/// <param name="Text">The text; of a token, its spelling with the white space that it took.</param>
/// <param name="TokenId">The token; null for text.</param>
internal readonly record struct TextPart(string Text, int? TokenId);

/// <summary>Cuts text at the tokens that are looked for before any merging. Safe for concurrent use.</summary>
internal interface ITokenCutter
{
    /// <summary>The parts in order; none is empty.</summary>
    /// <param name="text">Valid UTF-16.</param>
    /// <param name="parseSpecial">Whether special tokens are looked for too.</param>
    IReadOnlyList<TextPart> Cut(string text, bool parseSpecial);
}
