namespace KvIL.Inference;

/// <summary>Something was asked for that cannot be done; the message is one sentence that says what and what to do instead.</summary>
public sealed class RequestException(string message) : Exception(message);
