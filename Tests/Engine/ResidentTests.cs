using System.Globalization;
using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Runtime;
using KvIL.Reference;
using KvIL.Tensors;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Engines;

/// <summary>What the operating system says the process holds grows and falls with what is accounted.</summary>
public sealed class ResidentTests
{
    private const double Share = 0.05;

    [ProcFact]
    public void Resident_memory_follows_the_account()
    {
        long[] figures = [.. Child.Start("resident").Select(line => long.Parse(line, CultureInfo.InvariantCulture))];
        (long grown, long accounted, long fell, long released) = (figures[0], figures[1], figures[2], figures[3]);
        Assert.InRange(accounted, 256L << 20, long.MaxValue);
        Agrees(accounted, grown);
        Agrees(released, fell);
        Assert.InRange(released, accounted / 2, accounted);
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => Agrees(released, 0)); // rows that are dropped, memory that is kept
    }

    private static void Agrees(long accounted, long resident) =>
        Assert.True(Math.Abs(accounted - resident) <= Share * accounted, $"{resident:N0} bytes resident, {accounted:N0} accounted");
}

/// <summary>A test that needs the kernel's own figure of a process.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ProcFactAttribute : FactAttribute
{
    public ProcFactAttribute()
    {
        if (!File.Exists(ResidentChild.StatusPath)) Skip = $"needs {ResidentChild.StatusPath}, which this system lacks";
    }
}

/// <summary>Fills a cache of more than 256 MiB from a synthetic prompt, and evicts most of it.</summary>
internal static class ResidentChild
{
    public const string StatusPath = "/proc/self/status";

    private const int Tokens = 1024;

    // 32 heads of 128 channels in eight layers: 131,584 bytes a token and layer.
    private static readonly SyntheticModel Wide = new(8, 32, 1, 128, 16, 16, 64, DType.F32, Tied: true, Biases: false, Context: Tokens + 8);

    /// <summary>Prints resident growth, accounted growth, resident fall and accounted fall.</summary>
    public static void Print()
    {
        using TemporaryDirectory directory = new();
        Wide.Write(directory.Path);
        ReferenceBackend backend = new(2); // the session's from here on
        EngineOptions options = new() { Chunk = 128, RowType = DType.F32, Window = 16 };
        using Session session = new(directory.Path, options, null, backend);
        Engine engine = session.Engine;
        EvictionPolicy policy = EvictionPolicy.Parse("ada-snapkv:window=16,budget=20%,slack=1");
        int[] ids = Ids.Random(1, Tokens, Wide.Vocabulary);
        using (KvCache warm = engine.CreateCache())
        {
            engine.Prefill(warm, 0, ids.AsSpan(0, 256), EvictionPolicy.Full, reserve: 0);
            engine.Evict(warm, 0, policy, reserve: 1);
        }

        (long resident, long accounted) empty = Measure(backend);
        using KvCache cache = engine.CreateCache();
        engine.Prefill(cache, 0, ids, EvictionPolicy.Full, reserve: 0);
        (long resident, long accounted) full = Measure(backend);
        engine.Evict(cache, 0, policy, reserve: 1);
        (long resident, long accounted) cut = Measure(backend);
        Console.WriteLine(full.resident - empty.resident);
        Console.WriteLine(full.accounted - empty.accounted);
        Console.WriteLine(full.resident - cut.resident);
        Console.WriteLine(full.accounted - cut.accounted);
    }

    private static (long Resident, long Accounted) Measure(IBackend backend)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        string line = File.ReadLines(StatusPath).Single(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        long resident = 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        return (resident, Enum.GetValues<MemoryKind>().Where(kind => kind != MemoryKind.Weights).Sum(backend.Memory.Current));
    }
}
