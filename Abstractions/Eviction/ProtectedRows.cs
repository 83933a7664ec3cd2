namespace KvIL.Eviction;

/// <summary>Which rows of a run are always kept: the window at its end, the sinks at its start. Where they meet, the window wins.</summary>
public static class ProtectedRows
{
    /// <summary>Protected rows at the end of a run.</summary>
    public static int Window(int length, int window) => window < length ? window : length;

    /// <summary>Protected rows at the start of a run.</summary>
    public static int Sinks(int length, int sinks, int window)
    {
        int rest = length - Window(length, window);
        return sinks < rest ? sinks : rest;
    }

    /// <summary>Rows in between: those that compete.</summary>
    public static int Candidates(int length, int sinks, int window) =>
        length - Window(length, window) - Sinks(length, sinks, window);
}
