namespace KvIL.Tests.Runner;

/// <summary>Acts when no test has finished for a long time, so that a hang is an error with a name.</summary>
internal sealed class Watchdog : IDisposable
{
    private readonly TimeSpan _limit;
    private readonly Timer _timer;

    public Watchdog(TimeSpan limit, Action onHang)
    {
        _limit = limit;
        _timer = new Timer(_ => onHang(), null, limit, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Ten minutes, or KVIL_TEST_WATCHDOG_SECONDS.</summary>
    public static TimeSpan Limit =>
        double.TryParse(Environment.GetEnvironmentVariable("KVIL_TEST_WATCHDOG_SECONDS"), out double seconds)
            && seconds > 0
            ? TimeSpan.FromSeconds(seconds)
            : TimeSpan.FromMinutes(10);

    public void Restart() => _timer.Change(_limit, Timeout.InfiniteTimeSpan);

    public void Dispose() => _timer.Dispose();
}
