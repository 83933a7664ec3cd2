using KvIL.Backends;
using KvIL.Plans;

namespace KvIL.Reference;

/// <summary>A plan as a list of steps over a <see cref="MemoryPlan"/>; the scratch of the running step lies behind the slots.</summary>
internal sealed class Executable : IExecutable
{
    private const long Alignment = 64;

    private readonly MemoryPlan _memory;

    public Executable(Plan plan, IEnumerable<Step> steps, int workers)
    {
        Plan = plan;
        Steps = [.. steps];
        _memory = new(plan, Alignment);
        ScratchBytes = _memory.SizeBytes + Steps.Select(s => _memory.Align(s.ScratchBytes(workers))).DefaultIfEmpty().Max();
    }

    public Plan Plan { get; }

    /// <summary>Steps in order, one for each op.</summary>
    public Step[] Steps { get; }

    public long ScratchBytes { get; }

    /// <summary>Where the scratch of the running step begins in the arena.</summary>
    public long StepScratchOffset => _memory.SizeBytes;

    /// <summary>Where an intermediate slot lies in the arena; -1 for slots that are bound.</summary>
    public long Offset(Slot slot) => _memory.Offset(slot);

    public void Dispose()
    {
    }
}
