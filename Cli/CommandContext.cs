namespace KvIL.Cli;

/// <summary>What every command gets.</summary>
/// <param name="Terminal">Where it reads and writes.</param>
/// <param name="Cancelled">Ctrl+C and the like.</param>
internal sealed record CommandContext(Terminal Terminal, CancellationToken Cancelled);
