using System.Collections.Immutable;
using KvIL.Plans;

namespace KvIL.Ops;

/// <summary>One kernel-sized step of a <see cref="Plan"/>. A closed set: nothing outside this assembly derives from it.</summary>
public abstract record Op
{
    private protected Op(Slot writes, params ReadOnlySpan<Slot> reads) => (Writes, Reads) = (writes, [.. reads]);

    /// <summary>The only slot written.</summary>
    public Slot Writes { get; }

    /// <summary>Slots read, states that are overwritten in place included.</summary>
    public ImmutableArray<Slot> Reads { get; }

    /// <summary>Name as printed: the type's without <c>Op</c>.</summary>
    public string Name => GetType().Name[..^2];

    /// <summary>Parameters as printed, other than the slots read; empty if there are none.</summary>
    public virtual string Parameters => "";
}
