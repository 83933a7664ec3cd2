namespace KvIL.Conformance.Golden.Eviction;

/// <summary>A golden set that is damaged or not of the format; the message is one sentence for a user.</summary>
public sealed class GoldenFormatException(string message) : Exception(message);

/// <summary>A recorded number that KvIL does not reproduce; the message names it and both values.</summary>
internal sealed class GoldenDifferenceException(string message) : Exception(message);
