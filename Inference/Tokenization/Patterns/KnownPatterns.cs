namespace KvIL.Inference.Tokenization.Patterns;

/// <summary>Patterns that several formats use.</summary>
internal static class KnownPatterns
{
    /// <summary>GPT-2's.</summary>
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
}
