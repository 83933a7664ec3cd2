using KvIL.Backends;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Reference;

/// <summary>A plan as a list of steps over a memory plan: every intermediate slot has a fixed place in the arena, shared by slots that do not live at the same time.</summary>
internal sealed class Executable : IExecutable
{
    private const long Alignment = 64;

    private readonly long[] _offsets;

    public Executable(Plan plan, IEnumerable<Step> steps, int workers)
    {
        Plan = plan;
        Steps = [.. steps];
        _offsets = PlaceSlots(plan, out long end);
        StepScratchOffset = end;
        ScratchBytes = end + Steps.Select(s => Align(s.ScratchBytes(workers))).DefaultIfEmpty().Max();
    }

    public Plan Plan { get; }

    /// <summary>Steps in order, one for each op.</summary>
    public Step[] Steps { get; }

    public long ScratchBytes { get; }

    /// <summary>Where the scratch of the running step begins in the arena.</summary>
    public long StepScratchOffset { get; }

    /// <summary>Where an intermediate slot lies in the arena; -1 for slots that are bound.</summary>
    public long Offset(Slot slot) => _offsets[slot.Id];

    public void Dispose()
    {
    }

    private static long Align(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    // First fit over lifetimes: a slot lives from the op that writes it to the last op that reads it.
    private static long[] PlaceSlots(Plan plan, out long end)
    {
        long[] offsets = new long[plan.Slots.Length];
        Array.Fill(offsets, -1);
        List<(long Begin, long End, int LastUse)> live = [];
        end = 0;
        for (int i = 0; i < plan.Ops.Length; i++)
        {
            Slot slot = plan.Ops[i].Writes;
            if (slot.Previous is not null || slot.Spec is not TensorSpec || plan.Outputs.Contains(slot))
            {
                continue;
            }

            live.RemoveAll(place => place.LastUse < i);
            live.Sort();
            long size = Align(slot.Spec.SizeBytes);
            long begin = 0;
            foreach ((long taken, long takenEnd, _) in live)
            {
                if (begin + size <= taken)
                {
                    break;
                }

                begin = Math.Max(begin, takenEnd);
            }

            live.Add((begin, begin + size, LastUse(plan, slot, i)));
            offsets[slot.Id] = begin;
            end = Math.Max(end, begin + size);
        }

        return offsets;
    }

    private static int LastUse(Plan plan, Slot slot, int written)
    {
        int last = written;
        for (int i = written + 1; i < plan.Ops.Length; i++)
        {
            Op op = plan.Ops[i];
            last = op.Reads.Contains(slot) ? i : last;
        }

        return last;
    }
}
