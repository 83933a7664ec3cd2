namespace KvIL.Backends;

/// <summary>What device memory is used for.</summary>
public enum MemoryKind
{
    /// <summary>Model weights, whether copied to the device or used where the file is mapped.</summary>
    Weights,

    /// <summary>Keys, values, positions, run tables and window queries.</summary>
    Cache,

    /// <summary>Activations that outlive a plan, tokens, results.</summary>
    Activations,

    /// <summary>Arenas of queues.</summary>
    Scratch,
}

/// <summary>Exact count of the bytes that a backend holds, by kind, with the peak of each since the last reset.</summary>
/// <remarks>Every allocation and release of a backend passes through one account, so the figure is the allocator's own.</remarks>
public sealed class MemoryAccount
{
    private readonly Lock _lock = new();
    private readonly long[] _current = new long[Enum.GetValues<MemoryKind>().Length];
    private readonly long[] _peak = new long[Enum.GetValues<MemoryKind>().Length];

    /// <summary>Bytes of <paramref name="kind"/> held now.</summary>
    public long Current(MemoryKind kind) => Volatile.Read(ref _current[(int)kind]);

    /// <summary>Most bytes of <paramref name="kind"/> held at once since the last reset.</summary>
    public long Peak(MemoryKind kind) => Volatile.Read(ref _peak[(int)kind]);

    /// <summary>Forgets the peaks: each becomes what is held now.</summary>
    public void ResetPeaks()
    {
        lock (_lock)
        {
            _current.CopyTo(_peak, 0);
        }
    }

    /// <summary>Records an allocation, or a release when negative.</summary>
    public void Add(MemoryKind kind, long bytes)
    {
        lock (_lock)
        {
            long now = _current[(int)kind] += bytes;
            _peak[(int)kind] = Math.Max(_peak[(int)kind], now);
        }
    }
}
