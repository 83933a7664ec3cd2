namespace KvIL.Inference.Tokenization.Patterns;

/// <summary>A pattern that cannot be read, or has a part that KvIL does not match; the message is half a sentence.</summary>
internal sealed class PatternException(string message) : Exception(message);
