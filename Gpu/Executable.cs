using ILGPU;
using KvIL.Backends;
using KvIL.Gpu.Kernels;
using KvIL.Plans;

namespace KvIL.Gpu;

/// <summary>A plan as a list of steps over one arena: the block of bound integers, the slots, the scratch of the running step.</summary>
internal sealed class Executable : IExecutable
{
    private const long Alignment = 256;

    private readonly MemoryPlan _memory;

    public Executable(Plan plan, Step[] steps)
    {
        (Plan, Steps) = (plan, steps);
        _memory = new(plan, Alignment);
        Block = new(0, (long)plan.Symbols.Length * sizeof(int));
        FirstSlot = _memory.Align(Block.Bytes);
        StepScratch = new(FirstSlot + _memory.SizeBytes, steps.Select(s => s.ScratchBytes).DefaultIfEmpty().Max());
        ScratchBytes = StepScratch.Begin + StepScratch.Bytes;
    }

    public Plan Plan { get; }

    /// <summary>Steps in order, one for each op.</summary>
    public Step[] Steps { get; }

    /// <summary>Where the bound integers lie, by symbol id.</summary>
    public ArenaPart Block { get; }

    /// <summary>Where the scratch of the running step lies.</summary>
    public ArenaPart StepScratch { get; }

    public long ScratchBytes { get; }

    private long FirstSlot { get; }

    /// <summary>Where an intermediate slot lies; null for slots that are bound.</summary>
    public ArenaPart? Place(Slot slot) =>
        _memory.Offset(slot) < 0 ? null : new(FirstSlot + _memory.Offset(slot), slot.Spec.SizeBytes);

    public void Dispose()
    {
        foreach (Step step in Steps)
        {
            step.Dispose();
        }
    }
}

/// <summary>A part of an arena.</summary>
/// <param name="Begin">First byte.</param>
/// <param name="Bytes">Length.</param>
internal readonly record struct ArenaPart(long Begin, long Bytes)
{
    /// <summary>The part of one arena.</summary>
    public ArrayView<byte> View(ArrayView<byte> arena) => arena.Part(Begin, Bytes);
}
