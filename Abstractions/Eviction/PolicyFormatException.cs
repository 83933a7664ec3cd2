namespace KvIL.Eviction;

/// <summary>
/// A policy or a budget that cannot be read; the message is one sentence with what was found and what is allowed.
/// </summary>
public sealed class PolicyFormatException(string message) : FormatException(message);
