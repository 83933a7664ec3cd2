using KvIL.Backends;
using KvIL.Reference;

namespace KvIL;

/// <summary>Where a model computes.</summary>
public sealed record Device
{
    private Device(string name, int threads) => (Name, Threads) = (name, threads);

    /// <summary>The best device of this machine that KvIL has a backend for.</summary>
    public static Device Auto => Cpu();

    /// <summary>Short name, such as <c>cpu</c>.</summary>
    public string Name { get; }

    /// <summary>Threads of the CPU; 0 for one per processor.</summary>
    public int Threads { get; }

    /// <summary>The CPU, in managed code.</summary>
    /// <param name="threads">Threads; 0 for one per processor.</param>
    public static Device Cpu(int threads = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        return new("cpu", threads);
    }

    /// <summary>A device from its name.</summary>
    /// <exception cref="ArgumentException">There is no such device.</exception>
    public static Device Parse(string name, int threads = 0) => name switch
    {
        "cpu" or "auto" => Cpu(threads),
        _ => throw new ArgumentException($"There is no device '{name}'; the devices are: cpu, auto.", nameof(name)),
    };

    /// <summary>Makes the backend.</summary>
    public IBackend CreateBackend() => new ReferenceBackend(Threads);
}
