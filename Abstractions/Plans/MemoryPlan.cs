using KvIL.Tensors;

namespace KvIL.Plans;

/// <summary>A place in one arena for every intermediate tensor of a plan, shared by slots that do not live at the same time.</summary>
/// <remarks>First fit over lifetimes: a slot lives from the op that writes it to the last op that reads it, symbols at their largest.</remarks>
public sealed class MemoryPlan
{
    private readonly long[] _offsets;
    private readonly long _alignment;

    /// <summary>Places the slots of <paramref name="plan"/> at multiples of <paramref name="alignment"/> bytes.</summary>
    public MemoryPlan(Plan plan, long alignment)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(alignment);
        _alignment = alignment;
        _offsets = new long[plan.Slots.Length];
        Array.Fill(_offsets, -1);
        SizeBytes = Place(plan);
    }

    /// <summary>Bytes of the arena.</summary>
    public long SizeBytes { get; }

    /// <summary>Where an intermediate tensor lies in the arena; -1 for slots that the caller binds and later versions of a state.</summary>
    public long Offset(Slot slot)
    {
        ArgumentNullException.ThrowIfNull(slot);
        return _offsets[slot.Id];
    }

    /// <summary><paramref name="bytes"/> rounded up to the alignment.</summary>
    public long Align(long bytes) => (bytes + _alignment - 1) / _alignment * _alignment;

    private long Place(Plan plan)
    {
        List<(long Begin, long End, int LastUse)> live = [];
        long end = 0;
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
            _offsets[slot.Id] = begin;
            end = Math.Max(end, begin + size);
        }

        return end;
    }

    private static int LastUse(Plan plan, Slot slot, int written)
    {
        int last = written;
        for (int i = written + 1; i < plan.Ops.Length; i++)
        {
            last = plan.Ops[i].Reads.Contains(slot) ? i : last;
        }

        return last;
    }
}
