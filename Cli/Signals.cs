using System.Runtime.InteropServices;

namespace KvIL.Cli;

/// <summary>Turns Ctrl+C and SIGTERM into a cancellation, and ends the process where nobody heeds that soon.</summary>
internal sealed class Signals : IDisposable
{
    // A command looks up between chunks of a prompt and between tokens; a big model's chunk can take longer than this.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;
    private readonly Terminal _terminal;
    private int _exitCode;

    public Signals(Terminal terminal)
    {
        _terminal = terminal;
        _registrations = [Register(PosixSignal.SIGINT, 130), Register(PosixSignal.SIGTERM, 143)];
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>128 plus the number of the first signal; 0 before it.</summary>
    public int ExitCode => Volatile.Read(ref _exitCode);

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }
    }

    private PosixSignalRegistration Register(PosixSignal signal, int exitCode) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        if (Interlocked.CompareExchange(ref _exitCode, exitCode, 0) != 0)
        {
            Exit(); // asked twice
        }

        Thread watch = new(() =>
        {
            Thread.Sleep(Patience);
            Exit();
        })
        { IsBackground = true };
        watch.Start();
        _source.Cancel();
    });

    private void Exit()
    {
        _terminal.Restore();
        Environment.Exit(ExitCode);
    }
}
