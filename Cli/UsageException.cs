namespace KvIL.Cli;

/// <summary>The command line asks for something that no model could give; the message is one sentence.</summary>
internal sealed class UsageException(string message) : Exception(message);
